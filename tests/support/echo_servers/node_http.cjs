// Answers with what Node's parser understood of a request: JSON, every text in base64 of its Latin-1 bytes.
"use strict";
const http = require("node:http");

const base64 = (text) => Buffer.from(text, "latin1").toString("base64");

const server = http.createServer({ keepAliveTimeout: 60000 }, (request, response) => {
  const body = [];
  request.on("data", (piece) => body.push(piece));
  request.on("end", () => {
    const fields = [];
    for (let index = 0; index < request.rawHeaders.length; index += 2) {
      fields.push([base64(request.rawHeaders[index]), base64(request.rawHeaders[index + 1])]);
    }
    const understood = {
      method: base64(request.method),
      target: base64(request.url),
      fields,
      body: Buffer.concat(body).toString("base64"),
    };
    response.setHeader("Content-Type", "application/json");
    response.end(request.method === "HEAD" ? "" : JSON.stringify(understood));
  });
});
server.listen(Number(process.argv[2]), "127.0.0.1");
