// The certified oidc-provider as the tests need it: people without passwords, clients registered while it runs, a log.
//
//     node provider.mjs <folder that holds node_modules>      with PROVIDER_CONFIGURATION in the environment
//
// A browser logs in as whomever `login_hint` names, or by a form; consent is given without asking.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { configurationOf, listenForCertificates } from './security.mjs';

const library = join(process.argv[2], 'node_modules', 'oidc-provider', 'lib', 'index.js');
const { default: Provider, errors } = await import(pathToFileURL(library));

const {
  issuer, port, resource, further_resources: furtherResources, users, clients, refresh_tokens: refreshTokens, security,
} = JSON.parse(process.env.PROVIDER_CONFIGURATION);
const policy = { access_token_lifetime: 300 };
let log = { requests: [], events: [] };
const secrets = []; // { kind, value }

// The library's own memory store forgets whatever comes after a thousand entries.
const stored = new Map();

class Adapter {
  constructor(model) {
    this.model = model;
  }

  async upsert(id, payload) {
    stored.set(`${this.model}:${id}`, payload);
  }

  async find(id) {
    return stored.get(`${this.model}:${id}`);
  }

  async findByUid(uid) {
    return [...stored].find(([key, payload]) => key.startsWith(`${this.model}:`) && payload.uid === uid)?.[1];
  }

  async consume(id) {
    stored.get(`${this.model}:${id}`).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    stored.delete(`${this.model}:${id}`);
  }

  async revokeByGrantId(grantId) {
    for (const [key, payload] of stored) {
      if (key.startsWith(`${this.model}:`) && payload.grantId === grantId) stored.delete(key);
    }
  }
}

const signingKey = (type, options, members) =>
  ({ ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), use: 'sig', ...members });

const userOf = (subject) => Object.values(users).find((user) => user.claims.sub === subject);

const { features: securityFeatures, ...securityOptions } = security ? configurationOf(security) : {};

const provider = new Provider(issuer, {
  ...securityOptions,
  adapter: Adapter,
  jwks: {
    keys: [
      signingKey('rsa', { modulusLength: 2048 }, { alg: 'RS256' }),
      signingKey('ec', { namedCurve: 'P-256' }, { alg: 'ES256' }),
      signingKey('rsa', { modulusLength: 2048 }, { alg: 'PS256' }),
    ],
  },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  claims: {
    openid: ['sub'],
    profile: ['name', 'given_name', 'family_name', 'preferred_username', 'locale'],
    email: ['email', 'email_verified'],
  },
  findAccount: (_, subject) => userOf(subject) && { accountId: subject, claims: () => userOf(subject).claims },
  // A token of the client's own is nobody's.
  extraTokenClaims: (_, { accountId }) =>
    accountId && { name: userOf(accountId).claims.name, roles: [userOf(accountId).role] },
  features: {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    clientCredentials: { enabled: true },
    pushedAuthorizationRequests: { enabled: true },
    revocation: { enabled: true },
    ...securityFeatures,
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo(_, indicator) {
        const scope = indicator === resource.audience ? resource.scope : furtherResources[indicator];
        if (scope === undefined) throw new errors.InvalidTarget();
        return { audience: indicator, scope, accessTokenFormat: 'jwt', jwt: { sign: { alg: security ? 'PS256' : 'RS256' } } };
      },
    },
  },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  // With 'when consented' only a request with prompt=consent gets a refresh token (OpenID Connect Core, section 11).
  ...(refreshTokens === 'always' && {
    issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
    // Refresh tokens outlive the browser's session here: only the gateway's revocation ends them.
    expiresWithSession: () => false,
  }),
  ttl: {
    AccessToken: () => policy.access_token_lifetime,
    AuthorizationCode: 60,
    Grant: 3600,
    IdToken: 300,
    Interaction: 600,
    RefreshToken: 3600,
    Session: 3600,
  },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  // Without the library's dispatcher, which refuses loopback addresses, where the gateway is.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
});

// What clients have asked for, and what came of it.
provider.use(async (ctx, next) => {
  await next();
  const { route, params, client } = ctx.oidc ?? {};
  if (!['pushed_authorization_request', 'token', 'revocation'].includes(route)) return;
  const { grant_type, token_type_hint, resource: asked } = params ?? {};
  const { error, error_description: detail } = ctx.body ?? {};
  if (error) console.error(route, error, detail);
  log.requests.push({ route, client_id: client?.clientId, grant_type, token_type_hint, asked, status: ctx.status, error });
  for (const kind of ['code', 'code_verifier', 'refresh_token', 'client_assertion']) {
    if (params?.[kind]) secrets.push({ kind, value: params[kind] });
  }
  for (const kind of ['access_token', 'refresh_token', 'id_token']) {
    if (ctx.body?.[kind]) secrets.push({ kind, value: ctx.body[kind] });
  }
});

for (const name of ['backchannel.success', 'end_session.success', 'grant.revoked', 'refresh_token.consumed']) {
  provider.on(name, () => log.events.push({ name }));
}
for (const name of ['authorization.error', 'backchannel.error', 'end_session.error', 'server_error']) {
  provider.on(name, (_, error) => log.events.push({ name, error: `${error.message} ${error.error_detail ?? ''}` }));
}

const pageWithForm = `<!doctype html><title>Log in</title><form method="post" action="">
<label>Who are you? <input name="username"></label> <button>Log in</button> <button name="deny" value="1">Not now</button>
</form>`;

async function interact(request, response) {
  const { prompt, params, grantId, session } = await provider.interactionDetails(request, response);
  const form = request.method === 'POST' ? new URLSearchParams(await bodyOf(request)) : new URLSearchParams();
  if (form.has('deny')) {
    return provider.interactionFinished(request, response, { error: 'access_denied' });
  }
  if (prompt.name === 'consent') {
    const consent = { grantId: await grantOf(session.accountId, params.client_id, grantId, prompt.details) };
    return provider.interactionFinished(request, response, { consent });
  }
  const user = users[form.get('username') ?? params.login_hint];
  if (!user) return response.writeHead(200, { 'content-type': 'text/html' }).end(pageWithForm);
  return provider.interactionFinished(request, response, { login: { accountId: user.claims.sub } });
}

// All that is asked of identity, and of the resource's scopes those that the user may have.
async function grantOf(accountId, clientId, grantId, { missingOIDCScope, missingResourceScopes }) {
  const grant = (grantId && (await provider.Grant.find(grantId))) || new provider.Grant({ accountId, clientId });
  if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(' '));
  for (const [indicator, scopes] of Object.entries(missingResourceScopes ?? {})) {
    for (const scope of scopes) {
      if (userOf(accountId).permissions.includes(scope)) grant.addResourceScope(indicator, scope);
      else grant.rejectResourceScope(indicator, scope);
    }
  }
  return grant.save();
}

// Registers a client, or changes what the policy or a user is, in the middle of a test.
function change({ client, claims, ...wishes }) {
  if (client) {
    stored.set(`Client:${client.client_id}`, {
      grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
      response_types: ['code'],
      backchannel_logout_session_required: true,
      ...clients[client.client_id],
      ...client,
    });
  }
  for (const [username, changed] of Object.entries(claims ?? {})) Object.assign(users[username].claims, changed);
  Object.assign(policy, wishes);
  return {};
}

const controls = {
  'POST /test/control': async (request) => change(JSON.parse(await bodyOf(request))),
  'GET /test/log': () => log,
  'DELETE /test/log': () => (log = { requests: [], events: [] }),
  'GET /test/secrets': () => secrets,
};

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const answerOfProvider = provider.callback();

const answer = async (request, response) => {
  const control = controls[`${request.method} ${request.url}`];
  try {
    if (control) response.end(JSON.stringify(await control(request)));
    else if (request.url.startsWith('/interaction/')) await interact(request, response);
    else answerOfProvider(request, response);
  } catch (error) {
    console.error(error);
    response.writeHead(500).end();
  }
};

createServer(answer).listen(port, '127.0.0.1');
if (security) listenForCertificates(security, answer);
