package export

import (
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/leodido/go-syslog/v4/rfc5424"

	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/facts"
	"github.com/clearspan/clearspan/appliance/query"
	"github.com/clearspan/clearspan/appliance/syslog"
)

var update = flag.Bool("update", false, "write golden files")

// samples are entries of all outcomes, one with texts that a hostile client chose.
func samples() []audit.Entry {
	at := time.Date(2026, 12, 1, 9, 30, 0, 123456789, time.UTC)
	e := audit.Entry{
		Time: audit.Time{Time: at}, Start: audit.Time{Time: at.Add(-time.Second)}, End: audit.Time{Time: at}, Session: "00112233445566ff", Intake: "proxy",
		Client: netip.MustParseAddrPort("192.0.2.7:50000"), Origin: netip.MustParseAddrPort("198.51.100.1:443"), Host: "www.example.test", SNI: "www.example.test",
		Transport: "tcp", Protocol: "http", Rule: "default", Action: "bump", Outcome: "bumped", Events: []string{},
		Octets: audit.Octets{ClientToOrigin: 100, OriginToClient: 2000}, CommunityID: "1:abc=",
		TLSClient: &audit.ClientTLS{Version: "1.3", JA4: "t13d1516h2_8daaf6152771_b186095e22b6"}, TLSOrigin: &audit.OriginTLS{Verdict: "ok"},
		HTTP: []facts.Exchange{{Method: "GET", Host: "www.example.test", Path: "/a=b|c", Status: 200}},
	}
	hostile := e
	hostile.Host, hostile.SNI, hostile.Outcome, hostile.Action, hostile.Rule, hostile.Reason = `a|b=c\d`+"\n<34>1 forged\r\x00\x1b[31m", "\u202eevil", "terminated", "terminate", `ru=le\`, "policy"
	hostile.Service, hostile.Finding = map[string]string{"av": "blocked", "ips": "clean"}, map[string]string{"av": "Eicar=|\n" + strings.Repeat("\u00e9", 1000)}
	hostile.Client, hostile.Origin = netip.MustParseAddrPort("[2001:db8::7]:50000"), netip.MustParseAddrPort("[2001:db8::1]:443")
	failed := e
	failed.Outcome, failed.Reason, failed.TLSClient, failed.TLSOrigin, failed.HTTP = "failed", "unresolved", nil, nil, nil
	failed.Origin = netip.AddrPort{}
	interim := e
	interim.Interim, interim.End = true, audit.Time{}
	return []audit.Entry{e, hostile, failed, interim, audit.Dropped("wire", "malformed", 7, at, at)}
}

// encoded returns the messages of entries.
func encoded(t testing.TB, f Format, framed bool, entries []audit.Entry) (list []string) {
	t.Helper()
	e := newEncoder(f, framed, "box.example", "1.0")
	for _, entry := range entries {
		entry.Time = audit.Time{Time: time.Date(2026, 12, 1, 9, 30, 0, 123456789, time.UTC)}
		line, err := json.Marshal(entry)
		if err != nil {
			t.Fatal(err)
		}
		message, wanted, err := e.encode(line, nil)
		if err != nil || !wanted {
			t.Fatal(err, wanted)
		}
		list = append(list, string(message))
	}
	return list
}

// The formats are a contract with who reads them.
func TestFormats(t *testing.T) {
	for name, list := range map[string][]string{
		"json": encoded(t, JSON, true, samples()), "cef": encoded(t, CEF, true, samples()), "cef-file": encoded(t, CEF, false, samples()),
	} {
		path, got := filepath.Join("testdata", name+".golden"), strings.Join(list, "\n")+"\n"
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestHeader(t *testing.T) {
	for i, text := range encoded(t, JSON, true, samples()) {
		m, err := rfc5424.NewParser().Parse([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		s := m.(*rfc5424.SyslogMessage)
		want := []string{"bumped 6", "terminated 4", "failed 5", "interim 6", "dropped 5"}[i]
		if got := *s.MsgID + " " + string('0'+rune(*s.Severity)); got != want || *s.Facility != facility || *s.Hostname != "box.example" || *s.Appname != "clearspan" || s.Timestamp.Nanosecond() != 123456000 {
			t.Errorf("%s, want %s: %+v", got, want, s)
		}
	}
}

// parseCEF is a reader of the format that shares nothing with the writer.
func parseCEF(t testing.TB, text string) (header []string, keys map[string]string) {
	t.Helper()
	var field strings.Builder
	i := 0
	for ; i < len(text) && len(header) < 7; i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			i++
			field.WriteByte(text[i])
		case text[i] == '|':
			header = append(header, field.String())
			field.Reset()
		default:
			field.WriteByte(text[i])
		}
	}
	keys = make(map[string]string)
	rest, key := text[i:], ""
	for i := 0; i < len(rest); i++ {
		switch {
		case rest[i] == '\\' && i+1 < len(rest):
			i++
			field.WriteString(map[byte]string{'n': "\n", 'r': "\r", '\\': `\`, '=': "="}[rest[i]])
		case rest[i] == '=': // what is before it, behind the last blank, is a key
			said := field.String()
			blank := strings.LastIndexByte(said, ' ')
			if key != "" {
				keys[key] = said[:max(blank, 0)]
			}
			key = said[blank+1:]
			field.Reset()
		default:
			field.WriteByte(rest[i])
		}
	}
	keys[key] = field.String()
	return header, keys
}

// Whatever a client says, a reader of CEF finds it in its place, and nothing else.
func FuzzCEF(f *testing.F) {
	f.Add("www.example.test", "rule", "finding")
	f.Add("a=b src=1.2.3.4", `r|ule\`, "x\ny\rz=\\=")
	f.Fuzz(func(t *testing.T, host, rule, finding string) {
		e := audit.Entry{Time: audit.Time{Time: time.Unix(0, 0)}, Outcome: "bumped", Session: "1", Host: host, Rule: rule, Finding: map[string]string{"av": finding}}
		line, err := json.Marshal(e)
		if err != nil {
			t.Skip(err)
		}
		if json.Unmarshal(line, &e) != nil { // invalid UTF-8 is replaced
			t.Fatal("an entry cannot be read")
		}
		enc := newEncoder(CEF, false, "box", "1|0")
		message, _, err := enc.encode(line, nil)
		if err != nil {
			t.Fatal(err)
		}
		header, keys := parseCEF(t, string(message))
		if len(header) != 7 || header[3] != "1|0" || header[4] != "bumped" || keys["externalId"] != "1" || keys["outcome"] != "bumped" {
			t.Fatalf("%s: %q %q", message, header, keys)
		}
		for key, said := range map[string]string{"dhost": e.Host, "cs1": e.Rule} {
			want := strings.Map(func(r rune) rune {
				if r < ' ' && r != '\n' && r != '\r' || r == 0x7f {
					return ' '
				}
				return r
			}, said)
			if len(want) <= syslog.Text && keys[key] != want {
				t.Fatalf("%s is %q, want %q: %s", key, keys[key], want, message)
			}
		}
		for key := range keys {
			if !strings.Contains(" rt externalId dhost dvchost outcome in out cs1Label cs1 msg ", " "+key+" ") {
				t.Fatalf("key %q: %s", key, message)
			}
		}
	})
}

func TestRows(t *testing.T) {
	hostile := samples()[1]
	for text, want := range map[string]bool{
		"outcome:terminated": true, "client:2001:db8::/32": true, "port:443": true, "octets>2kB": true, "service:av=blocked": true, "duration>=1s": true,
		"outcome:failed": false, "state:open": false, "after:2026-12-02": false, "verdict:ok": true, "-host:x": true,
	} {
		q, err := query.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := q.Match(row{&hostile}); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	line, err := json.Marshal(samples()[0])
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range []Format{JSON, CEF} {
		b.Run(string(f), func(b *testing.B) {
			e := newEncoder(f, true, "box", "1")
			for b.Loop() {
				if _, _, err := e.encode(line, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
