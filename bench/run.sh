#!/bin/bash
# Measures this checkout with the shared bench: fresh data, mock model, web and worker with default settings; then the rungs given.
#   bench/run.sh                      1, 20 and 100 people
#   USERS=50 OUT=result.jsonl bench/run.sh --tokens 500 --gap 0
#   SETTING=redis WEBS=2 WORKERS=2 USERS=200 bench/run.sh          PostgreSQL and Redis (or rabbitmq); their CPU is counted too
#   HISTORY=1000000 bench/run.sh                                    so many messages are stored before
#   FROM=/data/portal.sqlite3 bench/run.sh                           on a copy of a database that was made before (people are seeded as always)
#   SENDS=sends.jsonl bench/run.sh                                  and how long the sends took
#   FIRST_LIMITS= bench/run.sh                                      with the limits of a fresh portal (1,000 and 200 questions a day)
#   PROFILE=where.txt USERS=200 bench/run.sh --seconds 30            and where the time goes, from the eighth second on (bench/hot_path.py)
# Ends only what it started. BENCH names the folder of the bench, KEEP=1 leaves data and logs where they are.
set -euo pipefail
cd "$(dirname "$0")/.."
BENCH=${BENCH:-../shared/bench}
USERS=${USERS:-1,20,100}
PYTHON=${PYTHON:-.venv/bin/python}
SETTING=${SETTING:-sqlite} WEBS=${WEBS:-1} WORKERS=${WORKERS:-1} HISTORY=${HISTORY:-0}
POSTGRES=${POSTGRES:-postgres://root@127.0.0.1:5432}
folder=$(mktemp -d -t portal-bench-XXXX)
started=()
finish() {
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
    if [ "$SETTING" != sqlite ]; then psql -q "$POSTGRES/postgres" -c "drop database if exists $database"; fi
    if [ -n "${KEEP:-}" ]; then echo "Kept: $folder"; else rm -rf "$folder"; fi
}
trap finish EXIT
port() { "$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
await() { # address, log
    for _ in $(seq 300); do
        if curl -sf -o /dev/null "$1"; then return 0; fi
        sleep 0.1
    done
    cat "$2" >&2
    return 1
}
begin() { # log, command...
    local log=$folder/$1
    shift
    "$@" >"$log" 2>&1 &
    started+=($!)
}

mock=$(port)
web=$(port)
begin mock.log "$PYTHON" "$BENCH/mock_openai.py" --port "$mock"
await "http://127.0.0.1:$mock/stats" "$folder/mock.log"

# Nothing of this shell's own settings: a figure must not depend on who measured.
export FIRST_LIMITS=${FIRST_LIMITS-none} IGNORE_DOTENV=1 DATA_DIR=$folder/data PORT=$web MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=1048576 MALLOC_TRIM_THRESHOLD_=8388608 CELERY_SKIP_CHECKS=1 PYTHONUNBUFFERED=1
export PYTHONWARNINGS="ignore:You're running the worker with superuser privileges"
export OPENAI_BASE_URL=http://127.0.0.1:$mock/v1 OPENAI_API_KEY=x OPENAI_MODELS=mock-gpt
database=portal_bench_$$
others=()
if [ "$SETTING" != sqlite ]; then
    psql -q "$POSTGRES/postgres" -c "create database $database"
    export DATABASE_URL=$POSTGRES/$database CELERY_QUEUE=$database
    others+=("$(pgrep -o -x postgres)")
    case $SETTING in
    redis) export CELERY_BROKER_URL=redis://127.0.0.1:6379/13 && others+=("$(pgrep -o -x redis-server)") ;;
    rabbitmq) export CELERY_BROKER_URL=amqp://guest:guest@127.0.0.1:5672// && others+=("$(pgrep -o -x beam.smp)") ;;
    esac
fi
most=$(tr , '\n' <<<"$USERS" | sort -n | tail -1)
if [ -n "${FROM:-}" ]; then mkdir -p "$DATA_DIR" && cp "$FROM" "$DATA_DIR/portal.sqlite3"; fi
"$PYTHON" manage.py setup
"$PYTHON" manage.py seed --people "$most" --sessions "$folder/sessions.json" --yes
if [ "$HISTORY" -gt 0 ]; then "$PYTHON" manage.py seed --conversations $((HISTORY / 100)) --messages 100 --yes; fi
"$PYTHON" manage.py collectstatic --noinput --verbosity 0
if [ "$WEBS" = 1 ]; then begin web.log "$PYTHON" -m portal.server; else begin web.log "$PYTHON" bench/webs.py "$web" "$WEBS"; fi
for number in $(seq "$WORKERS"); do begin "worker$number.log" "$PYTHON" -m portal.worker; done
printf '%s\n' "${started[@]:1}" "${others[@]}" >"$folder/pids"
await "http://127.0.0.1:$web/health/ready" "$folder/web.log"
sleep 2
if [ -n "${PROFILE:-}" ]; then (sleep 8 && "$PYTHON" bench/hot_path.py --pids "$folder/pids" --out "$PROFILE") & fi
"$PYTHON" "$BENCH/load.py" --adapter bench/adapter.py --target portal --base "http://127.0.0.1:$web" --mock "http://127.0.0.1:$mock" \
    --accounts "$folder/sessions.json" --pidfile "$folder/pids" --users "$USERS" ${OUT:+--out "$OUT"} "$@"
grep -hE 'WARNING|ERROR|Traceback' "$folder"/web.log "$folder"/worker*.log | cut -c1-300 | sort | uniq -c | sort -rn | head -20 || true
