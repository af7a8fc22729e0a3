#!/usr/bin/env python3
"""Bytes that are no HTTP request, or no request that makes sense: `attn serve` answers 4xx (or 501, 505), or closes,
and goes on. Started by test_malformed.sh; traffic stays on 127.0.0.1, and every wait ends."""
import concurrent.futures
import random
import re
import socket
import sys

PORT = int(sys.argv[1])
HOST = b"Host: x\r\n"
JSON = b"POST /translate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def json(body, extra=b""):
    return JSON + extra + b"Content-Length: %d\r\n\r\n" % len(body) + body


def get(target, headers=HOST, version=b"HTTP/1.1"):
    return b"GET " + target + b" " + version + b"\r\n" + headers + b"\r\n"


def chunked(body, extra=b""):
    return JSON + extra + b"Transfer-Encoding: chunked\r\n\r\n" + body


# What is refused: 4xx, 501 or 505, or nothing and a closed connection.
REFUSED = {
    "nothing": b"",
    "empty lines": b"\r\n\r\n\r\n",
    "no target": b"GET\r\n\r\n",
    "no version": b"GET /health\r\n\r\n",
    "version 9.9": get(b"/health", version=b"HTTP/9.9"),
    "version 2.0": get(b"/health", version=b"HTTP/2.0"),
    "no such protocol": get(b"/health", version=b"FTP/1.1"),
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS hello": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(range(160)),
    "binary": bytes(range(256)) * 4 + b"\r\n\r\n",
    "NUL in the line": b"GET /hea\0lth HTTP/1.1\r\n" + HOST + b"\r\n",
    "NUL before the target": b"GET \0/health HTTP/1.1\r\n" + HOST + b"\r\n",
    "%00 in the path": get(b"/%00"),
    "%00 after a path": get(b"/health%00.html"),
    "%00 in the query": get(b"/health?q=a%00b"),
    "%00 in a name": get(b"/health?q%00r=b"),
    "% without digits": get(b"/health%zz"),
    "% at the end": get(b"/health%"),
    "% with one digit": get(b"/health?q=%4"),
    "control in the target": get(b"/health\x01"),
    "tab in the target": get(b"/health\tx"),
    "two targets": get(b"/health /health"),
    "no slash": get(b"health"),
    "dots": get(b"/../etc/passwd"),
    "escaped dots": get(b"/%2e%2e/etc/passwd"),
    "unknown path": get(b"/nothing"),
    "unknown method": b"FLY /health HTTP/1.1\r\n" + HOST + b"\r\n",
    "CONNECT": b"CONNECT a.b:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "TRACE": b"TRACE /health HTTP/1.1\r\n" + HOST + b"\r\n",
    "no Host": get(b"/health", b""),
    "empty name": get(b"/health", HOST + b": value\r\n"),
    "empty name, then a line": get(b"/health", HOST + b": value\r\nX-A: 1\r\n"),
    "empty name and value": get(b"/health", HOST + b":\r\n"),
    "empty name first": get(b"/health", b":\r\n" + HOST),
    "no colon": get(b"/health", HOST + b"nonsense\r\n"),
    "space before the colon": get(b"/health", HOST + b"X-A : 1\r\n"),
    "space in a name": get(b"/health", HOST + b"X A: 1\r\n"),
    "control in a name": get(b"/health", HOST + b"X\x01A: 1\r\n"),
    "bracket in a name": get(b"/health", HOST + b"X[A]: 1\r\n"),
    "NUL in a value": get(b"/health", HOST + b"X-A: a\0b\r\n"),
    "control in a value": get(b"/health", HOST + b"X-A: a\x02b\r\n"),
    "folded line": get(b"/health", HOST + b"X-A: a\r\n b\r\n"),
    "folded first line": get(b"/health", b" X-A: a\r\n" + HOST),
    "two hosts": get(b"/health", HOST + HOST),
    "65 lines": get(b"/health", HOST + b"".join(b"X-%d: 1\r\n" % i for i in range(65))),
    "a line of 9,000 bytes": get(b"/health", HOST + b"X-A: " + b"a" * 9000 + b"\r\n"),
    "a target of 9,000 bytes": get(b"/health?" + b"a" * 9000),
    "4,000 parameters": get(b"/health?" + b"a&" * 4000),
    "a header of 1 MB": get(b"/health", HOST + b"X-A: 1\r\n" * 130000),
    "length -1": json(b"{}", b"Content-Length: -1\r\n"),
    "length x": JSON + b"Content-Length: x\r\n\r\n{}",
    "length 0x2": JSON + b"Content-Length: 0x2\r\n\r\n{}",
    "length 2 2": JSON + b"Content-Length: 2 2\r\n\r\n{}",
    "length +2": JSON + b"Content-Length: +2\r\n\r\n{}",
    "empty length": JSON + b"Content-Length:\r\n\r\n{}",
    "length of 20 digits": JSON + b"Content-Length: 99999999999999999999\r\n\r\n{}",
    "length of 2^64": JSON + b"Content-Length: 18446744073709551616\r\n\r\n{}",
    "length of 2^63": JSON + b"Content-Length: 9223372036854775808\r\n\r\n{}",
    "too long a body": JSON + b"Content-Length: 1048577\r\n\r\n",
    "unknown encoding": JSON + b"Transfer-Encoding: cow\r\n\r\n{}",
    "chunk size zz": chunked(b"zz\r\n{}\r\n0\r\n\r\n"),
    "chunk size -2": chunked(b"-2\r\n{}\r\n0\r\n\r\n"),
    "chunk size 2^64": chunked(b"10000000000000000\r\n{}\r\n0\r\n\r\n"),
    "chunk size of 40 digits": chunked(b"f" * 40 + b"\r\n{}\r\n0\r\n\r\n"),
    "chunk without its end": chunked(b"2\r\n{}xx\r\n0\r\n\r\n"),
    "chunks above the limit": chunked((b"10000\r\n" + b"a" * 65536 + b"\r\n") * 17 + b"0\r\n\r\n"),
    "no chunks at all": chunked(b""),
    "cut header": b"GET /health HTTP/1.1\r\nHo",
    "cut body": JSON + b"Content-Length: 100\r\n\r\n{",
    "GET /translate": get(b"/translate?q=a&source=en&target=fr"),
    "PUT /translate": b"PUT /translate HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "POST /health": b"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "no body": b"POST /translate HTTP/1.1\r\nHost: x\r\n\r\n",
    "form: no UTF-8": b"POST /translate HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                      b"Content-Length: 25\r\n\r\nq=%ff&source=en&target=fr",
    "multipart: no boundary": b"POST /translate HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data\r\n"
                              b"Content-Length: 2\r\n\r\nab",
    "multipart: cut": b"POST /translate HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
                      b"Content-Length: 5\r\n\r\n--b\r\n",
    "JSON: empty": json(b""),
    "JSON: blank": json(b"  "),
    "JSON: cut": json(b'{"q":'),
    "JSON: list": json(b"[]"),
    "JSON: text": json(b'"q"'),
    "JSON: number": json(b"12"),
    "JSON: null": json(b"null"),
    "JSON: two": json(b"{}{}"),
    "JSON: trailing comma": json(b'{"q":"a",}'),
    "JSON: single quotes": json(b"{'q':'a'}"),
    "JSON: comment": json(b'{"q":"a"/**/}'),
    "JSON: NaN": json(b'{"q":NaN}'),
    "JSON: doubled key": json(b'{"q":"a","q":"b"}'),
    "JSON: surrogate": json(b'{"q":"\\ud800","source":"en","target":"fr"}'),
    "JSON: NUL": json(b'{"q":"\\u0000","source":"en","target":"fr"}'),
    "JSON: raw NUL": json(b'{"q":"\0","source":"en","target":"fr"}'),
    "JSON: no UTF-8": json(b'{"q":"\xff","source":"en","target":"fr"}'),
    "JSON: UTF-16": json('{"q":"a"}'.encode("utf-16")),
    "JSON: control": json(b'{"q":"a\x01","source":"en","target":"fr"}'),
    "JSON: deep": json(b"[" * 100000),
    "JSON: deep object": json(b'{"q":' * 50000),
    "JSON: long number": json(b'{"alternatives":1' + b"0" * 5000 + b"}"),
    "JSON: real number": json(b'{"q":"a","source":"en","target":"fr","alternatives":1.5}'),
    "JSON: q is a number": json(b'{"q":1,"source":"en","target":"fr"}'),
    "JSON: q is an object": json(b'{"q":{},"source":"en","target":"fr"}'),
    "JSON: q holds a list": json(b'{"q":[[]],"source":"en","target":"fr"}'),
    "JSON: q is null": json(b'{"q":null,"source":"en","target":"fr"}'),
    "JSON: source is a number": json(b'{"q":"a","source":1,"target":"fr"}'),
    "JSON: 200 texts": json(b'{"q":["a"' + b',"a"' * 199 + b'],"source":"en","target":"fr"}'),
    "JSON: 5,001 characters": json(b'{"q":"' + b"a" * 5001 + b'","source":"en","target":"fr"}'),
    "picture: none": b"POST /attn/segment HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "picture: text": b"POST /attn/segment HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\ntext",
    "picture: PNG cut": b"POST /attn/segment HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\n"
                        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "picture: JPEG cut": b"POST /attn/attend?x=1&y=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n\xff\xd8\xff\xe0",
}
# Two ends of one body, or none that is sure: what follows must never be read as a request of its own. Status 400, at once.
SECOND = b"GET /second HTTP/1.1\r\n" + HOST + b"\r\n"
ASKED = b'{"q":"one","source":"en","target":"fr"}'
CHUNKS = b"%x\r\n" % len(ASKED) + ASKED + b"\r\n0\r\n\r\n"
BOTH = b"Content-Length: %d\r\n"
TE = b"Transfer-Encoding: "
SMUGGLED = {
    "a length before chunks": JSON + BOTH % len(ASKED) + TE + b"chunked\r\n\r\n" + ASKED + SECOND,
    "a length after chunks": JSON + TE + b"chunked\r\n" + BOTH % len(ASKED) + b"\r\n" + ASKED + SECOND,
    "a length beside chunks that are there": JSON + BOTH % len(ASKED) + TE + b"chunked\r\n\r\n" + CHUNKS + SECOND,
    "a length of all beside chunks": JSON + BOTH % (len(CHUNKS) + len(SECOND)) + TE + b"chunked\r\n\r\n" + CHUNKS + SECOND,
    "two lengths": JSON + BOTH % len(ASKED) + BOTH % 3 + b"\r\n" + ASKED + SECOND,
    "two equal lengths": JSON + BOTH % len(ASKED) + BOTH % len(ASKED) + b"\r\n" + ASKED + SECOND,
    "chunked twice": JSON + TE + b"chunked\r\n" + TE + b"chunked\r\n\r\n" + CHUNKS + SECOND,
    "gzip, chunked": JSON + TE + b"gzip, chunked\r\n\r\n" + CHUNKS + SECOND,
    "chunked, identity": JSON + TE + b"chunked, identity\r\n\r\n" + CHUNKS + SECOND,
    "xchunked": JSON + TE + b"xchunked\r\n\r\n" + CHUNKS + SECOND,
    "identity": JSON + TE + b"identity\r\n\r\n" + ASKED + SECOND,
    "an empty coding": JSON + TE + b"\r\n\r\n" + CHUNKS + SECOND,
    "xchunked beside a length": JSON + BOTH % len(ASKED) + TE + b"xchunked\r\n\r\n" + ASKED + SECOND,
}
# What looks odd and is right.
FINE = {
    "absolute target": get(b"http://127.0.0.1/health"),
    "escapes": get(b"/%68ealth?x=%41+b"),
    "HTTP/1.0 without Host": get(b"/health", b"", b"HTTP/1.0"),
    "an empty value": get(b"/health", HOST + b"X-A:\r\n"),
    "UTF-8 in a value": get(b"/health", HOST + b"X-A: \xc3\xa9\r\n"),
    "a parameter without a value": get(b"/health?x"),
    "64 lines": get(b"/health", HOST + b"".join(b"X-%d: 1\r\n" % i for i in range(63))),
    "spaces around a value": get(b"/health", HOST + b"X-A:  \t 1  \r\nX-B:2\r\n"),
    "line feeds alone": b"GET /health HTTP/1.1\nHost: x\n\n",
    "an empty line before": b"\r\n" + get(b"/health"),
}


def answers(data):
    """All that comes back until the server closes; None when it does not within 8 s."""
    with socket.create_connection(("127.0.0.1", PORT), timeout=8) as s:
        got = b""
        try:
            s.sendall(data)
            while part := s.recv(65536):
                got += part
        except ConnectionError:
            pass
        except TimeoutError:
            return None
    return got


def send(data):
    """The status of the answer, or 0 for none."""
    with socket.create_connection(("127.0.0.1", PORT), timeout=20) as s:
        try:
            s.sendall(data)
        except OSError:
            pass  # closed before all of it was read
        answer = b""
        try:
            while len(answer) < 15:
                part = s.recv(4096)
                if not part:
                    break
                answer += part
        except ConnectionError:
            pass
    found = re.match(rb"HTTP/1\.[01] (\d\d\d) ", answer)
    if answer and not found:
        return -1
    return int(found.group(1)) if found else 0


def form(body):
    return (b"POST /translate HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body)


def multipart(*parts):
    body = b"".join(b"--b\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + text + b"\r\n" for head, text in parts)
    body += b"--b--\r\n"
    return (b"POST /translate_file HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body)


# Whole requests, from which those of MUTATED are made.
WHOLE = [
    json(ASKED),
    json(b'{"q":["one","two"],"source":"auto","target":"fr","format":"html","alternatives":1,"scores":true}'),
    json(b'{"q":"<b>one</b>","source":"en","target":"fr","format":"html","stream":true,"alignments":true}'),
    form(b"q=on%65&source=en&target=fr&alternatives=1"),
    multipart((b'name="source"', b"en"), (b'name="target"', b"fr"), (b'name="file"; filename="a.srt"',
              b"1\n00:00:01,000 --> 00:00:02,000\none\n")),
    json(ASKED.replace(b"}", b',"part":"cross","layer":1,"head":2,"query":[0,1],"key":[1,1]}')).replace(b"/translate", b"/attn/intervene"),
    b"POST /detect HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n"
    b"9\r\n{\"q\":\"one\r\n2\r\n\"}\r\n0\r\n\r\n",
    get(b"/languages?x=%41", HOST + b"Accept-Encoding: gzip\r\nAuthorization: Bearer abc\r\n"),
]
PIECES = [b"\0", b"\r\n", b"\n", b" ", b":", b"%", b"\xff", b"\xc3\xa9", b"{", b"}", b"[", b'"', b"\\u0000", b"-1", b"99999999999",
          b"--b", b"&", b"=", b"chunked", b"Content-Length: 5\r\n", b"\xf0\x9f\x90\x9e", b"A" * 3000]


def mutate(chance, data):
    """Up to four faults: a byte changed, a stretch lost, doubled or moved, a piece put in, the end cut."""
    for _ in range(chance.randint(1, 4)):
        at, end = sorted(chance.randint(0, len(data)) for _ in range(2))
        end = min(end, at + 40)
        kind = chance.randrange(6)
        if kind == 0 and at < len(data):
            data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1:]
        elif kind == 1:
            data = data[:at] + data[end:]
        elif kind == 2:
            data = data[:end] + data[at:end] + data[end:]
        elif kind == 3:
            to = chance.randint(0, len(data) - (end - at))
            rest = data[:at] + data[end:]
            data = rest[:to] + data[at:end] + rest[to:]
        elif kind == 4:
            data = data[:at] + chance.choice(PIECES) + data[at:]
        elif chance.random() < 0.3:
            data = data[:at]
    return data


CHANCE = random.Random(7)
MUTATED = [mutate(CHANCE, CHANCE.choice(WHOLE)) for _ in range(2000)]


def probe(data):
    """What is wrong with the answers to bytes of which nobody knows what they are, or None: an answer is whole HTTP, and no
    failure of the server's own. What waits for more gets the end of it after half a second."""
    got = b""
    with socket.create_connection(("127.0.0.1", PORT), timeout=0.5) as s:
        try:
            s.sendall(data)
            while part := s.recv(65536):
                got += part
        except TimeoutError:
            try:
                s.shutdown(socket.SHUT_WR)
                s.settimeout(20)
                while part := s.recv(65536):
                    got += part
            except TimeoutError:
                return "no end within 20 s"
            except OSError:
                pass
        except OSError:
            pass  # closed before all of it was read
    if got and not re.match(rb"HTTP/1\.[01] [2-5]\d\d ", got):
        return f"no HTTP: {got[:80]}"
    failed = re.search(rb"^HTTP/1\.[01] 50[02-4] [^\r]*", got, re.M)
    return failed and failed.group(0).decode()


def right(status, name):
    return status == 200 if name in FINE else status == 0 or 400 <= status < 500 or status in (501, 505)


# At once: some of them wait until the server gives up.
failures = 0
with concurrent.futures.ThreadPoolExecutor(100) as pool:
    statuses = {name: pool.submit(send, data) for name, data in (REFUSED | FINE).items()}
    replies = {name: pool.submit(answers, data) for name, data in SMUGGLED.items()}
    probes = {data: pool.submit(probe, data) for data in MUTATED}
for name, status in statuses.items():
    if not right(status.result(), name):
        print(f"FAILED: {name}: {status.result()}")
        failures += 1
    elif "-v" in sys.argv:
        print(name, status.result())
for name, reply in replies.items():
    got = reply.result()
    if got is None or not got.startswith(b"HTTP/1.1 400 ") or got.count(b"HTTP/1.") != 1:
        print(f"FAILED: {name}: {got}")
        failures += 1
for data, found in probes.items():
    if found.result():
        print(f"FAILED: {data}: {found.result()}")
        failures += 1
print(f"{len(REFUSED) + len(SMUGGLED)} refused, {len(FINE)} answered, {len(MUTATED)} mutated ones survived" if failures == 0 else f"{failures} wrong")
sys.exit(failures > 0)
