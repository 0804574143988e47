package deploy

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
)

// ends puts a client and a web server on the two ends of the wire.
const ends = `for i in client:lan0-end:2 server:wan0-end:1; do IFS=: read name link number <<<$i
ip netns add $name && ip link set $link netns $name && ip -n $name link set lo up && ip -n $name link set $link up && ip -n $name addr add 198.51.100.$number/24 dev $link
done
mkdir -p /web/root && head -c 24M /dev/urandom >/web/root/large && echo small >/web/root/small
ip netns exec server nginx -c /web/conf -e /web/errors
ip netns exec client curl -sk --retry 20 --retry-all-errors --retry-delay 1 https://198.51.100.1/small`

const nginx = `user root;
worker_processes 1;
pid /web/pid;
events { worker_connections 8192; }
http {
	access_log off;
	server { listen 80 backlog=4096; listen 443 ssl backlog=4096; ssl_certificate /web/crt; ssl_certificate_key /web/key; root /web/root; }
}
`

// fetches begins a session by TLS every 5 ms for some seconds, and writes for each when it
// began and what became of it.
const fetches = `
import json, socket, ssl, sys, threading, time
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
lock, rows = threading.Lock(), []
def fetch():
    began, fault = time.time(), ""
    try:
        with socket.create_connection(("198.51.100.1", 443), 10) as c:
            connected = time.time()
            with context.wrap_socket(c) as s:
                s.sendall(b"GET /small HTTP/1.0\r\n\r\n")
                text = b""
                while True:
                    p = s.recv(4096)
                    if not p: break
                    text += p
                if not text.endswith(b"small\n"): fault = "incomplete: %r" % text
    except Exception as e:
        fault = repr(e)
    with lock: rows.append({"began": began, "ended": time.time(), "fault": fault})
threads, end = [], time.time() + float(sys.argv[1])
while time.time() < end:
    t = threading.Thread(target=fetch); t.start(); threads.append(t)
    time.sleep(0.005)
for t in threads: t.join()
json.dump(rows, open("/fetches", "w"))
`

// TestKillsOfWire ends the processes of the service, as it is shipped, in the middle of
// traffic: what passes the wire goes on, connections that begin later succeed, and the next
// start takes connections again.
func TestKillsOfWire(t *testing.T) {
	t.Parallel()
	m := service(t)
	pki, err := lab.NewPKI(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := pki.Issue("198.51.100.1", "tunnel.example.test")
	if err != nil {
		t.Fatal(err)
	}
	m.Install(t, pair.CertFile, "/web/crt", 0o644)
	m.Install(t, pair.KeyFile, "/web/key", 0o600)
	m.Install(t, pki.RootFile, "/web/roots", 0o644)
	m.Write(t, "/web/conf", nginx, 0o644)
	m.Write(t, "/fetches.py", fetches, 0o644)
	begin(t, m, `intake: [{name: w, mode: wire, legs: [lan0, wan0], ports: [443], down: wire}]
origin: {roots: [/web/roots]}
policy: {default: bump, rules: [{name: t, host: [tunnel.example.test], origin: [198.51.100.1], action: tunnel}]}
`)
	const taking = "clearspan wire status | grep 'taking connections'"
	m.Wait(t, taking)
	m.Run(t, ends)
	const forged = "ip netns exec client openssl s_client -connect 198.51.100.1:443 </dev/null 2>/dev/null | grep -i '^issuer.*clearspan'"
	m.Wait(t, forged)
	for _, tt := range []struct{ name, kill string }{
		{"worker", "kill -KILL $(pgrep -n -P $(systemctl show -p MainPID --value clearspan))"},
		{"keeper", "kill -KILL $(systemctl show -p MainPID --value clearspan)"},
		{"both", "systemctl kill -s KILL clearspan"},
	} {
		m.Run(t, `sum() { sha256sum | cut -c1-64; }
ip netns exec client curl -s --limit-rate 10M http://198.51.100.1/large | sum >/plain &
ip netns exec client curl -sS --limit-rate 10M --cacert /web/roots --resolve tunnel.example.test:443:198.51.100.1 https://tunnel.example.test/large 2>/tunneled.log | sum >/tunneled &
ip netns exec client python3 /fetches.py 2.5 &
sleep 0.8; date +%s.%N >/killed; `+tt.kill+`; wait`)
		want := m.Run(t, "sha256sum </web/root/large | cut -c1-64")
		for _, flow := range []string{"plain", "tunneled"} {
			if got := m.Run(t, "cat /"+flow); got != want {
				t.Errorf("%s: the %s flow is not whole: %s", tt.name, flow, m.Run(t, "cat /tunneled.log"))
			}
		}
		judgeFetches(t, tt.name, m.Path("/fetches"), m.Run(t, "cat /killed"))
		m.Wait(t, "systemctl is-active clearspan && "+taking+" && "+forged)
	}
	m.Run(t, "systemctl stop clearspan && clearspan wire remove w")
}

// outage bounds the time after a kill in which connections that begin may fail. It is no
// measure: machines of tests are busy.
const outage = time.Second

// judgeFetches looks at what became of sessions around a kill.
func judgeFetches(t *testing.T, name, file, killed string) {
	t.Helper()
	at, err := strconv.ParseFloat(strings.TrimSpace(killed), 64)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Began, Ended float64
		Fault        string
	}
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	open, after, slowest, last := 0, 0, 0.0, 0.0
	for _, r := range rows {
		switch {
		case r.Fault != "" && r.Began < at && r.Ended < at:
			t.Errorf("%s: before the kill: %s", name, r.Fault)
		case r.Fault != "" && r.Began < at:
			open++ // decrypted when the process ended
		case r.Began >= at:
			after++
			slowest = max(slowest, r.Ended-r.Began)
			if r.Fault != "" {
				last = max(last, r.Began-at)
			}
			if r.Fault != "" && r.Began-at > outage.Seconds() {
				t.Errorf("%s: %.0f ms after the kill: %s", name, (r.Began-at)*1000, r.Fault)
			}
		}
	}
	if after < 50 {
		t.Errorf("%s: %d sessions after the kill", name, after)
	}
	t.Logf("%s: %d sessions, %d began after the kill; %d ended with the process; the last that failed began %.1f ms after; the slowest took %.0f ms",
		name, len(rows), after, open, last*1000, slowest*1000)
}
