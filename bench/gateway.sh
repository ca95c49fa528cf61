#!/bin/bash
# Measures /v1/ beside the bare pass-through with the shared bench, one after the other: fresh data, mock model, one web process, no worker.
#   bench/gateway.sh                       50, 100 and 200 programs, 15 s a rung
#   USERS=100 OUT=result.jsonl bench/gateway.sh --seconds 30
# Ends only what it started. BENCH names the folder of the bench, BARE_PYTHON a Python that has what the pass-through needs (starlette).
set -euo pipefail
cd "$(dirname "$0")/.."
BENCH=${BENCH:-../shared/bench}
USERS=${USERS:-50,100,200}
PYTHON=${PYTHON:-.venv/bin/python}
folder=$(mktemp -d -t gateway-bench-XXXX)
started=()
finish() {
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$folder"
}
trap finish EXIT
port() { "$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
await() { # address
    for _ in $(seq 300); do
        if curl -s -o /dev/null "$1"; then return 0; fi
        sleep 0.1
    done
    tail -n 5 "$folder"/*.log >&2
    return 1
}
begin() { # log, command...
    local log=$folder/$1
    shift
    "$@" >"$log" 2>&1 &
    started+=($!)
    last=$!
}

mock=$(port) web=$(port) bare=$(port)
begin mock.log "$PYTHON" "$BENCH/mock_openai.py" --port "$mock"
await "http://127.0.0.1:$mock/stats"
export FIRST_LIMITS=${FIRST_LIMITS-none} IGNORE_DOTENV=1 DATA_DIR=$folder/data PORT=$web MALLOC_ARENA_MAX=2 CELERY_SKIP_CHECKS=1 PYTHONUNBUFFERED=1
export OPENAI_BASE_URL=http://127.0.0.1:$mock/v1 OPENAI_API_KEY=x OPENAI_MODELS=mock-gpt DJANGO_SETTINGS_MODULE=portal.settings
export API_PER_MINUTE=1000000 API_KEY_PER_MINUTE=1000000 ADMIN_EMAIL=admin@example.com ADMIN_PASSWORD=bench-Passw0rd
"$PYTHON" manage.py setup >"$folder/setup.log" 2>&1
key=$("$PYTHON" -c '
import django
django.setup()
from accounts import api_keys
from accounts.models import User
print(api_keys.make(User.objects.get(), name="bench", scopes=["chat"])[1])')
if [ -z "${ONLY:-}" ] || [ "$ONLY" = asgi ]; then
    begin bare.log "${BARE_PYTHON:-$PYTHON}" "$BENCH/proxies/asgi_proxy.py" "$bare" "$mock"
    await "http://127.0.0.1:$bare/"
    "$PYTHON" "$BENCH/load.py" --target asgi --base "http://127.0.0.1:$bare" --pid "$last" --users "$USERS" --mock "http://127.0.0.1:$mock" --model mock-gpt ${OUT:+--out "$OUT"} "$@"
    kill "$last"
fi
begin web.log "$PYTHON" -m portal.server
await "http://127.0.0.1:$web/health/live"
"$PYTHON" "$BENCH/load.py" --target asgi --label gateway --base "http://127.0.0.1:$web" --key "$key" --pid "$last" --users "$USERS" --mock "http://127.0.0.1:$mock" --model mock-gpt ${OUT:+--out "$OUT"} "$@"
