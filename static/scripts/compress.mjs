// Writes a .br and a .gz beside every file of a build that gets smaller by it: `node scripts/compress.mjs dist`.
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const COMPRESSIBLE = new Set([".html", ".js", ".css", ".svg"]);
const SMALLEST = 512;

/** The files under a folder, as relative paths in the order of their names.
 * @param {string} folder */
export async function filesIn(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name))).sort();
}

/** Whether a file is to have compressed siblings.
 * @param {string} file
 * @param {Buffer} content */
export function isCompressed(file, content) {
  return COMPRESSIBLE.has(path.extname(file)) && content.length >= SMALLEST;
}

/** @param {string} folder */
async function compress(folder) {
  for (const file of await filesIn(folder)) {
    const name = path.join(folder, file);
    const content = await readFile(name);
    if (isCompressed(file, content)) {
      await writeFile(`${name}.br`, brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }));
      await writeFile(`${name}.gz`, gzip(content));
    }
  }
}

/** @param {Buffer} content */
function gzip(content) {
  const compressed = gzipSync(content, { level: 9 });
  // The header's last byte names the operating system it was made on (RFC 1952); 255 is "unknown".
  compressed[9] = 255;
  return compressed;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await compress(process.argv[2] ?? "dist");
}
