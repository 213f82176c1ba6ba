// Makes the files that the program carries: node bundle.mjs MODULES OUT
//
// GraphiQL and React come as scripts that a browser runs as they are, so nothing is compiled: they are joined into one
// file, fonts are left out of the styles (the system's serve), and each file gets a twin packed by gzip. The notices
// name every package that is inside, as the map beside GraphiQL's script lists them; one whose licence cannot be found
// fails the build.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const [modules, out] = process.argv.slice(2);
const here = path.dirname(fileURLToPath(import.meta.url));
const read = (...parts) => fs.readFileSync(path.join(...parts), 'utf8');

const scripts = ['react/umd/react.production.min.js', 'react-dom/umd/react-dom.production.min.js', 'graphiql/graphiql.min.js'];
// Their packages say MIT and hold no text of it.
const withoutText = new Set(['@headlessui/react', '@radix-ui/react-use-escape-keydown', 'client-only', 'react-compiler-runtime', 'react-remove-scroll-bar', 'toggle-selection']);
const MAP_LINE = /^\/\/# sourceMappingURL=.*$/gm;

/* ---- which packages are inside ---- */

// Names from the sources of a map: below node_modules, or GraphiQL's own packages beside each other.
function packageOf(source) {
  const at = source.lastIndexOf('node_modules/');
  const parts = (at < 0 ? source : source.slice(at + 'node_modules/'.length)).split('/');
  if (at >= 0) return parts.slice(0, parts[0].startsWith('@') ? 2 : 1).join('/');
  const folder = parts.find((part) => part !== '..');
  return { src: 'graphiql', 'graphiql-toolkit': '@graphiql/toolkit', 'graphiql-react': '@graphiql/react' }[folder] ?? folder;
}

function embedded() {
  const names = new Set(['graphiql', 'react', 'react-dom', 'scheduler']);
  for (const source of JSON.parse(read(modules, 'graphiql/graphiql.min.js.map')).sources) names.add(packageOf(source));
  return [...names].sort();
}

// The folder of a package, also where it is nested in another.
function folderOf(name) {
  const top = path.join(modules, name);
  if (fs.existsSync(path.join(top, 'package.json'))) return top;
  const listed = Object.keys(JSON.parse(read(modules, '.package-lock.json')).packages);
  const nested = listed.find((one) => one.endsWith(`node_modules/${name}`));
  if (!nested) throw new Error(`the package ${name} is inside GraphiQL but not installed`);
  return path.join(modules, '..', nested);
}

function notice(name) {
  const folder = folderOf(name);
  const about = JSON.parse(read(folder, 'package.json'));
  const file = fs.readdirSync(folder).find((one) => /^(licen[cs]e|copying)/i.test(one));
  if (!file && !withoutText.has(name)) throw new Error(`the package ${name} has no licence text`);
  const text = file ? read(folder, file).trim()
    : `Its package holds no text of the licence. The terms are those printed for react; the copyright is its authors'.`;
  return `${'='.repeat(78)}\n${name} (${about.license})\n${'='.repeat(78)}\n\n${text}\n`;
}

/* ---- the files ---- */

const files = {
  'index.html': read(here, 'index.html'),
  'page.js': read(here, 'page.js'),
  'libraries.js': scripts.map((script) => read(modules, script).replace(MAP_LINE, '').trim()).join(';\n') + '\n',
  'style.css': read(modules, 'graphiql/graphiql.min.css').replace(/@font-face\s*\{[^}]*\}/g, '').trim() + '\n' + read(here, 'page.css'),
  'notices.txt': `The program carries GraphiQL and the packages that it is made of, for its page /graphiql.\n\n${embedded().map(notice).join('\n')}`,
};
if (/https?:\/\/[^"')]*\.(js|css|woff2?)/.test(files['style.css'])) throw new Error('the styles name another host');

fs.mkdirSync(out, { recursive: true });
for (const [name, text] of Object.entries(files)) {
  fs.writeFileSync(path.join(out, name), text);
  fs.writeFileSync(path.join(out, `${name}.gz`), gzipSync(text, { level: 9 }));
}
