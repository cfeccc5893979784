// The peer for Node.js, as its documentation has it: sessions in Redis, calls passed on with the access token.
const { createRequire } = require('node:module')
const http = require('node:http')

const need = createRequire(`${process.env.NODE_MODULES}/index.js`)
const express = need('express')
const { auth, requiresAuth } = need('express-openid-connect')
const { createProxyMiddleware } = need('http-proxy-middleware')
const { RedisStore } = need('connect-redis')
const { createClient } = need('redis')

const { PORT, BASE_URL, ISSUER, CLIENT_ID, CLIENT_SECRET, SECRET, REDIS_URL, UPSTREAM } = process.env

async function main() {
  const client = await createClient({ url: REDIS_URL }).connect()
  const app = express()
  app.get('/open', (request, response) => response.send('ok'))
  app.use(
    auth({
      baseURL: BASE_URL,
      issuerBaseURL: ISSUER,
      clientID: CLIENT_ID,
      clientSecret: CLIENT_SECRET,
      secret: SECRET,
      authRequired: false,
      idpLogout: false,
      authorizationParams: { response_type: 'code', scope: 'openid profile email offline_access' },
      session: { store: new RedisStore({ client, prefix: 'express:' }) },
    }),
  )
  app.use(
    requiresAuth(),
    createProxyMiddleware({
      target: UPSTREAM,
      agent: new http.Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 1024 }),
      on: {
        proxyReq: (proxied, request) =>
          proxied.setHeader('Authorization', `Bearer ${request.oidc.accessToken.access_token}`),
      },
    }),
  )
  app.listen(Number(PORT), '127.0.0.1', 4096)
}

main()
