"""Apache with mod_auth_openidc and its session cache in Redis; threads enough for every connection."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from bench.provider import Registration, log_in, register
from bench.stage import Missing, Stage, first_line
from bench.targets.target import Target

NAME = "mod_auth_openidc"
MODULES = (
    *("mpm_event", "authn_core", "authz_core", "authz_user", "unixd", "env", "headers", "log_config", "proxy"),
    *("proxy_http", "auth_openidc"),
)


def start(stage: Stage) -> Target:
    """Start it and log in; raises `Missing`, `LoginFailed`."""
    program = shutil.which("apache2") or shutil.which("httpd") or shutil.which("apache2", path="/usr/sbin")
    modules = stage.options.apache_modules
    if program is None or not (modules / "mod_auth_openidc.so").is_file():
        raise Missing("Apache with mod_auth_openidc is not installed")
    port, folder = stage.port(), stage.folder(NAME)
    origin = f"http://127.0.0.1:{port}"
    provider = register(stage, NAME, f"{origin}/callback")
    configuration = folder / "httpd.conf"
    configuration.write_text(_configuration(stage, folder, port, provider, program))
    command = [program, "-D", "FOREGROUND", "-f", str(configuration)]
    child = stage.start(NAME, command, cores=stage.cores.server, ready_url=f"{origin}/open/small")
    url = f"{origin}/api/small"
    headers = (f"Cookie: {log_in(url)}", "Sec-Fetch-Site: same-origin", "Accept: application/json")
    version = first_line([program, "-v"]).partition("Apache/")[2].split(" ")[0]
    return Target(NAME, f"Apache {version}, mod_auth_openidc {_module_version(modules)}", url, headers, child)


def _configuration(stage: Stage, folder: Path, port: int, provider: Registration, program: str) -> str:
    modules = stage.options.apache_modules
    present = [name for name in MODULES if (modules / f"mod_{name}.so").is_file()]
    loads = "\n".join(f"LoadModule {name}_module {modules}/mod_{name}.so" for name in present)
    return f"""\
ServerRoot {folder}
ServerName 127.0.0.1
PidFile {folder}/httpd.pid
DefaultRuntimeDir {folder}
ErrorLog {folder}/error.log
LogLevel error
{loads}
User www-data
Group www-data
Listen 127.0.0.1:{port}
ListenBacklog 4096
MaxKeepAliveRequests 0
KeepAliveTimeout 600
StartServers 4
ServerLimit 4
MinSpareThreads 256
MaxSpareThreads 1024
ThreadLimit 256
ThreadsPerChild 256
MaxRequestWorkers 1024
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
CustomLog {folder}/access.log combined
OIDCProviderMetadataURL {provider.discovery_url}
OIDCClientID {provider.client_id}
OIDCClientSecret {provider.client_secret}
OIDCRedirectURI http://127.0.0.1:{port}/callback
OIDCCryptoPassphrase {secrets.token_urlsafe(24)}
OIDCScope "openid profile email offline_access"
OIDCPKCEMethod S256
OIDCSessionType server-cache
OIDCCacheType redis
OIDCRedisCacheServer 127.0.0.1:{stage.redis_port}
OIDCPassClaimsAs environment
<Location /callback>
    AuthType openid-connect
    Require valid-user
</Location>
<Location /api/>
    AuthType openid-connect
    Require valid-user
    RequestHeader set Authorization "Bearer %{{OIDC_access_token}}e"
    ProxyPass {stage.upstream_url}/api/ keepalive=On
</Location>
<Location /open/>
    ProxyPass {stage.upstream_url}/api/
</Location>
"""


def _module_version(modules: Path) -> str:
    data = (modules / "mod_auth_openidc.so").read_bytes()
    return (
        data.partition(b"mod_auth_openidc-")[2].partition(b"\0")[0].decode("ascii", "replace")[:20] or "of the system"
    )
