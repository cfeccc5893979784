// An API that takes access tokens of one issuer for one audience, with the library that Auth0 gives its users.
//
//     node server.mjs <folder that holds node_modules>      with API_CONFIGURATION in the environment

import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.argv[2], 'node_modules', 'x.js'));
const express = require('express');
const { auth, requiredScopes } = require('express-oauth2-jwt-bearer');

const { issuer, audience, port, is_bound: isBound } = JSON.parse(process.env.API_CONFIGURATION);

const api = express();
api.get('/healthz', (_, response) => response.json({ status: 'ok' }));
// Either every token is bound to a key and comes with a proof, or whatever comes is taken as the library does by itself.
const dpop = isBound ? { dpop: { enabled: true, required: true } } : {};
api.use(auth({ issuerBaseURL: issuer, audience, tokenSigningAlg: 'RS256', ...dpop }));
api.get('/whoami', (request, response) => {
  const { aud, sub, scope, client_id } = request.auth.payload;
  response.json({ api: audience, aud, sub, scope, client_id });
});
api.get('/reports', requiredScopes('read:reports'), (_, response) => response.json({ reports: [] }));
api.use((error, request, response, next) => {
  response.status(error.status ?? 500).set(error.headers ?? {}).json({ error: error.code ?? 'internal' });
});
api.listen(port, '127.0.0.1');
