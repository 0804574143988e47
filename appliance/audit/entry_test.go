package audit

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/appliance/facts"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/learn"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// setOctets sets the counters that only the engine can advance.
func setOctets(s *decrypt.Session, up, down uint64) {
	field := reflect.ValueOf(s).Elem().FieldByName("octets")
	octets := (*[2]atomic.Uint64)(unsafe.Pointer(field.UnsafeAddr()))
	octets[decrypt.ClientToOrigin].Store(up)
	octets[decrypt.OriginToClient].Store(down)
}

func session() *decrypt.Session {
	start := time.Date(2026, 3, 1, 12, 0, 0, 1500, time.FixedZone("", 3600))
	s := &decrypt.Session{
		ID: "00112233445566ff", Intake: "gateway",
		Client: netip.MustParseAddrPort("[::ffff:10.0.0.7]:50123"), Origin: netip.MustParseAddrPort("192.0.2.1:465"),
		Start: start, End: start.Add(2 * time.Second),
		Protocol: "smtp", StartTLS: decrypt.StartTLSUsed, Late: &decrypt.Late{Protocol: "http", Outer: "b.test", Connect: "a.test", Octets: [2]uint64{7, 9}}, Related: "8899aabbccddeeff", SNI: "mail<>&.example.test", ALPN: "h2",
		Decision: policy.Decision{Rule: "mail", Action: policy.Bump},
		Outcome:  decrypt.Bumped, Reason: "client-reset", Refusal: "unknown_ca", Taught: learn.Pinned, Err: errors.New("detail"),
		ClientTLS:    decrypt.LegTLS{Version: tls.VersionTLS13, Cipher: tls.TLS_AES_128_GCM_SHA256, Resumed: true, JA4: "t13d1516h2_8daaf6152771_e5627efa2ab1"},
		OriginTLS:    decrypt.LegTLS{Version: tls.VersionTLS12, Cipher: tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, ChainSHA256: "ab12", Verdict: "expired", Finding: "ended", Revocation: "unknown"},
		ForgedSerial: "0f",
	}
	setOctets(s, 100, 2000)
	return s
}

// A QUIC flow has the identifier of its UDP flow.
func TestEntryOfQUIC(t *testing.T) {
	s := &decrypt.Session{
		ID: "00112233445566ff", Intake: "wire", Protocol: "quic", SNI: "www.example.test",
		Client: netip.MustParseAddrPort("192.168.1.52:54585"), Origin: netip.MustParseAddrPort("8.8.8.8:53"),
		Decision: policy.Decision{Rule: "evil", Action: policy.Terminate}, Outcome: decrypt.Terminated, Reason: "policy",
		ClientTLS: decrypt.LegTLS{JA4: "q13d0312h3_55b375c5d22e_c183556c78e2"},
		QUIC:      &decrypt.QUIC{Version: 0x6b3343cf, Datagrams: 2, Hello: "whole", Refused: true},
	}
	e := NewEntry(s, nil, nil)
	if e.Transport != "quic" || e.CommunityID != "1:d/FP5EW3wiY1vCndhwleRRKHowQ=" || e.TLSClient.JA4 != s.ClientTLS.JA4 || e.TLSOrigin != nil {
		t.Errorf("entry %+v", e)
	}
	if diff := cmp.Diff(&QUIC{Version: "2", Datagrams: 2, Refused: true, Hello: "whole", ALPN: []string{}}, e.QUIC); diff != "" {
		t.Error(diff)
	}
	for version, want := range map[uint32]string{0: "", 1: "1", 0xff00001d: "0xff00001d"} {
		if got := quicVersion(version); got != want {
			t.Errorf("version %#x is %q, want %q", version, got, want)
		}
	}
	if e := NewEntry(session(), nil, nil); e.Transport != "tcp" || e.QUIC != nil {
		t.Errorf("of TCP: %q, %+v", e.Transport, e.QUIC)
	}
}

func TestEntryOfBumpedSession(t *testing.T) {
	flow := &Flow{
		Client: netip.MustParseAddrPort("10.0.0.7:50123"), Origin: netip.MustParseAddrPort("192.0.2.1:25"),
		Ports: map[string]uint16{"recorder": 25},
	}
	s := session()
	s.Served("av", "blocked")
	s.Found("av", "Test.EICAR")
	e := NewEntry(s, map[string]Mirror{
		"recorder": {Frames: 9, Octets: 2000, Lost: 100, Reason: "queue-full"},
		"zeek": {Frames: 9, Octets: 2100, Streams: []Stream{{1, 20480}, {3, 20481}},
			Transcoded: &Transcoded{Streams: 2, Octets: 3000, Lost: 4, Replaced: 5, Raw: 6, Reason: "hpack"}},
	}, flow).With(facts.Report{
		HTTP: []facts.Exchange{{Method: "GET", Host: "h", Path: "/p", Status: 200, Type: "text/html", Length: 5}}, HTTPTotal: 7,
		Mail: []facts.Mail{{From: "a", To: []string{"b"}, Subject: "s", MessageID: "m", Reply: 250}}, MailTotal: 1,
	})
	if age := time.Since(e.Time.Time); age < 0 || age > time.Minute {
		t.Errorf("entry is %v old", age)
	}
	e.Time = Time{time.Date(2026, 3, 1, 11, 0, 3, 0, time.UTC)}
	got, err := json.MarshalIndent(e, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want := `{
 "time": "2026-03-01T11:00:03.000000000Z",
 "start": "2026-03-01T11:00:00.000001500Z",
 "end": "2026-03-01T11:00:02.000001500Z",
 "interim": false,
 "session": "00112233445566ff",
 "intake": "gateway",
 "client": "10.0.0.7:50123",
 "origin": "192.0.2.1:465",
 "destination": "",
 "upstream": "",
 "host": "mail\u003c\u003e\u0026.example.test",
 "sni": "mail\u003c\u003e\u0026.example.test",
 "alpn": "h2",
 "alpn_offer": "",
 "transport": "tcp",
 "protocol": "smtp",
 "starttls": "used",
 "late_tls": {
  "protocol": "http",
  "outer": "b.test",
  "connect": "a.test",
  "octets": {
   "client_to_origin": 7,
   "origin_to_client": 9
  }
 },
 "related": "8899aabbccddeeff",
 "rule": "mail",
 "action": "bump",
 "would": "",
 "events": [],
 "bypass_by": "",
 "learned": "",
 "taught": "pinned",
 "outcome": "bumped",
 "reason": "client-reset",
 "notice": "",
 "service": {
  "av": "blocked"
 },
 "service_finding": {
  "av": "Test.EICAR"
 },
 "quic": null,
 "tls_client": {
  "version": "1.3",
  "cipher": "TLS_AES_128_GCM_SHA256",
  "resumed": true,
  "ja4": "t13d1516h2_8daaf6152771_e5627efa2ab1",
  "refusal": "unknown_ca",
  "ech": ""
 },
 "tls_origin": {
  "version": "1.2",
  "cipher": "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
  "resumed": false,
  "chain_sha256": "ab12",
  "verdict": "expired",
  "finding": "ended",
  "revocation": "unknown",
  "fetched": 0,
  "renegotiated": 0
 },
 "forged_serial": "0f",
 "octets": {
  "client_to_origin": 100,
  "origin_to_client": 2000
 },
 "frames": 0,
 "mirror": {
  "recorder": {
   "frames": 9,
   "octets": 2000,
   "lost": 100,
   "reason": "queue-full",
   "streams": [],
   "transcoded": null
  },
  "zeek": {
   "frames": 9,
   "octets": 2100,
   "lost": 0,
   "reason": "",
   "streams": [
    {
     "id": 1,
     "port": 20480
    },
    {
     "id": 3,
     "port": 20481
    }
   ],
   "transcoded": {
    "streams": 2,
    "octets": 3000,
    "lost": 4,
    "replaced": 5,
    "raw": 6,
    "reason": "hpack"
   }
  }
 },
 "flow": {
  "client": "10.0.0.7:50123",
  "origin": "192.0.2.1:25",
  "ports": {
   "recorder": 25
  }
 },
 "community_id": "` + CommunityID(flow.Client, flow.Origin) + `",
 "http": [
  {
   "method": "GET",
   "host": "h",
   "path": "/p",
   "status": 200,
   "type": "text/html",
   "length": 5
  }
 ],
 "http_total": 7,
 "refused": [],
 "refused_total": 0,
 "mail": [
  {
   "fetched": false,
   "from": "a",
   "to": [
    "b"
   ],
   "subject": "s",
   "message_id": "m",
   "reply": 250
  }
 ],
 "mail_total": 1,
 "logins": [],
 "logins_total": 0,
 "transfers": [],
 "transfers_total": 0
}`
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("entry (-want +got):\n%s", diff)
	}
}

// Every key is present for a session of which nothing is known.
func TestEntryOfEmptySession(t *testing.T) {
	e := NewEntry(&decrypt.Session{}, nil, nil)
	e.Time = Time{}
	got, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"time":null,"start":null,"end":null,"interim":false,"session":"","intake":"","client":"","origin":"","destination":"","upstream":"","host":"","sni":"","alpn":"","alpn_offer":"",` +
		`"transport":"tcp","protocol":"","starttls":"","late_tls":null,"related":"","rule":"","action":"","would":"","events":[],"bypass_by":"","learned":"","taught":"","outcome":"failed","reason":"","notice":"","service":{},"service_finding":{},"quic":null,"tls_client":null,"tls_origin":null,` +
		`"forged_serial":"","octets":{"client_to_origin":0,"origin_to_client":0},"frames":0,"mirror":{},` +
		`"flow":{"client":"","origin":"","ports":{}},"community_id":"","http":[],"http_total":0,"refused":[],"refused_total":0,"mail":[],"mail_total":0,"logins":[],"logins_total":0,"transfers":[],"transfers_total":0}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("entry (-want +got):\n%s", diff)
	}
}

func TestNames(t *testing.T) {
	for v, want := range map[uint16]string{0: "", 0x0301: "1.0", 0x0302: "1.1", 0x0303: "1.2", 0x0304: "1.3", 0x7f1c: "0x7f1c"} {
		if got := versionName(v); got != want {
			t.Errorf("version %#x: %q, want %q", v, got, want)
		}
	}
	for id, want := range map[uint16]string{0: "", 0x1303: "TLS_CHACHA20_POLY1305_SHA256", 0xfefe: "0xFEFE"} {
		if got := cipherName(id); got != want {
			t.Errorf("cipher %#x: %q, want %q", id, got, want)
		}
	}
}

// An entry of mode monitor says what was not done.
func TestEntryMonitored(t *testing.T) {
	e := NewEntry(&decrypt.Session{Decision: policy.Decision{Rule: "r", Action: policy.Tunnel, Monitored: true, Would: policy.Terminate}}, nil, nil)
	if e.Rule != "r" || e.Action != "tunnel" || e.Would != "terminate" {
		t.Errorf("rule %s, action %s, would %s", e.Rule, e.Action, e.Would)
	}
}
