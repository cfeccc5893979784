// Proves that dist/ is what its source builds to, that its compressed files hold what they stand for, and that its
// documents keep to the strictest Content-Security-Policy: nothing inline.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { build } from "vite";
import { filesIn, isCompressed } from "./compress.mjs";

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const DIST = path.join(ROOT, "dist");
// Compressors differ from one Node.js to the next in the bytes they make; what matters is what comes out again.
const DECOMPRESS = { ".br": brotliDecompressSync, ".gz": gunzipSync };
const INLINE = /<style|<script(?![^>]*\ssrc=)|\son\w+\s*=|\sstyle\s*=|javascript:/i;

/** @type {string[]} */
const faults = [];
const fresh = await mkdtemp(path.join(tmpdir(), "timesheets-build-"));
try {
  await build({ root: ROOT, logLevel: "warn", build: { outDir: fresh, emptyOutDir: true } });
  const expected = await contents(fresh);
  const committed = await contents(DIST);
  for (const [file, content] of expected) {
    checkFile(file, content, committed);
  }
  committed.forEach((_, file) => faults.push(`${file}: not part of the build`));
} finally {
  await rm(fresh, { recursive: true });
}

if (faults.length > 0) {
  console.error(faults.map((fault) => `dist/${fault}`).join("\n"));
  console.error("The build does not match its source: run `npm run build` and commit dist/.");
  process.exit(1);
}
console.log("dist/ is what its source builds to.");

/** @param {string} folder */
async function contents(folder) {
  const files = await filesIn(folder);
  return new Map(await Promise.all(files.map(async (file) => /** @type {const} */ ([file, await readFile(path.join(folder, file))]))));
}

/** Note what is wrong with a file, and strike it and its compressed siblings from those committed.
 * @param {string} file
 * @param {Buffer} content
 * @param {Map<string, Buffer>} committed */
function checkFile(file, content, committed) {
  if (!committed.get(file)?.equals(content)) {
    faults.push(`${file}: ${committed.has(file) ? "differs from" : "missing, but in"} a fresh build`);
  }
  if (file.endsWith(".html") && INLINE.test(content.toString())) {
    faults.push(`${file}: has something inline`);
  }
  committed.delete(file);
  for (const [extension, decompress] of Object.entries(DECOMPRESS)) {
    if (isCompressed(file, content)) {
      if (!holds(committed.get(file + extension), decompress, content)) {
        faults.push(`${file}${extension}: does not hold ${file}`);
      }
      committed.delete(file + extension);
    }
  }
}

/** @param {Buffer | undefined} compressed
 * @param {(compressed: Buffer) => Buffer} decompress
 * @param {Buffer} content */
function holds(compressed, decompress, content) {
  try {
    return compressed !== undefined && decompress(compressed).equals(content);
  } catch {
    return false;
  }
}
