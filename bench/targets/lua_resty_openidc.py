"""nginx with LuaJIT and lua-resty-openidc, sessions in Redis: as it comes, and keeping only the access token."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from bench.nginx import NGINX_MISSING, PASS_ON, configuration, nginx_program, upstream_block
from bench.provider import Registration, log_in, register
from bench.stage import Missing, Stage, first_line
from bench.targets.target import Target

NAME = "lua-resty-openidc"
LEAN_NAME = "lua-resty-openidc lean"


def start(stage: Stage) -> Target:
    """Start it as it comes and log in; raises `Missing`, `LoginFailed`."""
    return _start(stage, NAME, "")


def start_lean(stage: Stage) -> Target:
    """Start it with nothing but the access token in its session, and log in."""
    return _start(stage, LEAN_NAME, "session_contents = { access_token = true },")


def _start(stage: Stage, name: str, session_contents: str) -> Target:
    program, library, modules = nginx_program(), stage.options.lua_path, stage.options.nginx_modules
    if program is None:
        raise Missing(NGINX_MISSING)
    if not (modules / "ngx_http_lua_module.so").is_file():
        raise Missing("nginx has no Lua module (Debian: libnginx-mod-http-lua)")
    if library is None or not (library / "resty" / "openidc.lua").is_file():
        raise Missing("lua-resty-openidc is not there (name its directory with --lua-path)")
    label = name.replace(" ", "-")
    port, folder = stage.port(), stage.folder(label)
    origin = f"http://127.0.0.1:{port}"
    provider = register(stage, label, f"{origin}/callback")
    path = folder / "nginx.conf"
    path.write_text(_configuration(stage, folder, port, provider, session_contents))
    command = [program, "-p", str(folder), "-c", str(path)]
    child = stage.start(label, command, cores=stage.cores.server, ready_url=f"{origin}/open")
    url = f"{origin}/api/small"
    headers = (f"Cookie: {log_in(url)}", "Sec-Fetch-Site: same-origin", "Accept: application/json")
    nginx = first_line([program, "-v"]).rpartition("/")[2]
    return Target(name, f"nginx {nginx}, {_versions(library)}", url, headers, child)


def _configuration(stage: Stage, folder: Path, port: int, provider: Registration, session_contents: str) -> str:
    library, modules = stage.options.lua_path, stage.options.nginx_modules
    return configuration(
        folder,
        f"""\
    lua_package_path "{library}/?.lua;{library}/?/init.lua;/usr/share/lua/5.1/?.lua;;";
    lua_shared_dict discovery 1m;
    lua_shared_dict jwks 1m;
    access_log {folder}/access.log combined;
{upstream_block(stage.upstream_port)}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = /open {{ return 200; }}
        location / {{
            access_by_lua_block {{
                local answer, fault = require("resty.openidc").authenticate({{
                    discovery = "{provider.discovery_url}",
                    client_id = "{provider.client_id}",
                    client_secret = "{provider.client_secret}",
                    redirect_uri = "http://127.0.0.1:{port}/callback",
                    scope = "openid profile email offline_access",
                    token_endpoint_auth_method = "client_secret_basic",
                    use_pkce = true,
                    {session_contents}
                }}, nil, nil, {{
                    secret = "{secrets.token_urlsafe(24)}",
                    cookie_secure = false,
                    storage = "redis",
                    redis = {{ host = "127.0.0.1", port = {stage.redis_port}, pool_size = 1024 }},
                }})
                if fault then
                    ngx.log(ngx.ERR, fault)
                    return ngx.exit(500)
                end
                ngx.req.set_header("Authorization", "Bearer " .. answer.access_token)
            }}
            {PASS_ON}
        }}
    }}""",
        modules=f"load_module {modules}/ndk_http_module.so;\nload_module {modules}/ngx_http_lua_module.so;",
    )


def _versions(library: Path) -> str:
    found = []
    for name in ("openidc", "session"):
        text = (library / "resty" / f"{name}.lua").read_text()
        version = re.search(r"_VERSION\s*=\s*[\"']([^\"']+)", text)
        found.append(f"lua-resty-{name} {version[1] if version else '?'}")
    return ", ".join(found)
