# Two servers behind nginx, set up as examples/nginx.conf says: one is stopped, then the other one killed, and every request is
# answered.
. "$ATTN_SOURCE_DIR/tests/cli/serve_support.sh"
nginx=$(command -v nginx || command -v /usr/sbin/nginx) || { echo "skipped: nginx is missing"; exit 77; }
command -v python3 >/dev/null || { echo "skipped: python3 is missing"; exit 77; }
proxy=
trap 'kill $proxy $first $second 2>/dev/null; rm -rf "$work"' EXIT

begin() { # PORT OPTION...: a server; its number is in $server, its port in $port
    start --port "$@" --quiet --connections-per-address 2048
    port=${url##*:}
}
start() { # as serve_support.sh does, with the port given
    : >log
    "$ATTN_TOOL" serve --model en-fr.safetensors "$@" >access 2>log &
    server=$!
    until grep -q 'serving at' log || ! kill -0 $server 2>/dev/null; do sleep 0.02; done
    url=$(sed -n 's/^attn: serving at //p' log)
    [ -n "$url" ] || { fail "it does not start: $(cat log)"; exit 1; }
}
begin 0
first=$server first_port=$port
begin 0
second=$server second_port=$port
server=

listen=$((20000 + $$ % 20000))
mkdir -p logs
{
    echo "daemon off; master_process off; pid $work/pid; error_log $work/error.log; events { }"
    echo "http { access_log off; client_body_temp_path $work/body; proxy_temp_path $work/proxy;"
    echo "fastcgi_temp_path $work/f; uwsgi_temp_path $work/u; scgi_temp_path $work/s;"
    sed -e "s/server 127.0.0.1:5000 \(.*\);/server 127.0.0.1:$first_port \1; server 127.0.0.1:$second_port \1;/" \
        -e "s/listen 443 ssl/listen 127.0.0.1:$listen/" -e '/ssl_certificate/d' -e 's/rate=10r/rate=10000r/' \
        -e 's/burst=40/burst=1000/' "$ATTN_SOURCE_DIR/examples/nginx.conf"
    echo "}"
} >nginx.conf
"$nginx" -p "$work" -c "$work/nginx.conf" 2>err &
proxy=$!
tries=0
until curl -sS -m 5 "http://127.0.0.1:$listen/health" >body 2>/dev/null || [ $tries -gt 100 ]; do
    kill -0 $proxy 2>/dev/null || break
    tries=$((tries + 1))
    sleep 0.05
done
grep -q '"ok"' body || { fail "nginx does not pass requests on: $(cat err error.log)"; finish; }

# Four clients ask one after another; `asked` counts answers.
cat >load.py <<'END'
import http.client, json, sys, threading
port, each = int(sys.argv[1]), int(sys.argv[2])
lock, answers = threading.Lock(), []

def client(number):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for i in range(each):
        body = json.dumps({"q": "one two %d %d" % (number, i), "source": "en", "target": "fr"})
        try:
            connection.request("POST", "/translate", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            good = answer.status == 200 and b"translatedText" in text
        except OSError as problem:
            good, text = False, repr(problem).encode()
            connection.close()
        with lock:
            answers.append(good)
            if not good:
                print("answer %d: %r" % (len(answers), text[:200]), file=sys.stderr)
            with open("asked", "w") as file:
                file.write("%d\n" % len(answers))

threads = [threading.Thread(target=client, args=(n,)) for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sum(answers), "of", len(answers))
END
each=400
echo 0 >asked
python3 load.py $listen $each >answered 2>err &
load=$!
reach() { # so many answers, while the load goes on
    until [ "$(cat asked)" -ge "$1" ] 2>/dev/null; do
        kill -0 $load 2>/dev/null || { fail "the load ended before $1 answers"; finish; }
        sleep 0.01
    done
}
reach 100
kill -TERM $first
wait $first || fail "a server that is stopped under load does not end well"
reach 400
begin "$first_port"
first=$server server=
reach 800
kill -9 $second
wait $load
grep -q "^$((4 * each)) of $((4 * each))$" answered || fail "requests were lost: $(cat answered; head -5 err)"
kill -0 $first || fail "the other server did not stay"

# The last answer of a connection says so.
start --port 0 --batch-wait 3000 --quiet
second=$server server=
curl -sS -m 30 -D head -o body -d q=two -d source=en -d target=fr "$url/translate" &
client=$!
sleep 0.3
kill -TERM $second
tries=0
while curl -sS -m 1 "$url/health" >body2 2>err; do
    tries=$((tries + 1))
    [ $tries -gt 100 ] && break
    sleep 0.01
done
kill -0 $client || fail "the request did not stay open"
grep -qi 'refused\|connect to' err || fail "a server that stops does not refuse new connections: $(cat err)"
wait $client || fail "the open request was dropped"
grep -qi '^Connection: close' head || fail "an answer while stopping keeps its connection: $(cat head)"
finish
