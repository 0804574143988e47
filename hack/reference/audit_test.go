package reference

import (
	"encoding/json"
	"go/ast"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/facts"
)

// entryReader follows the types of the audit entry through their source.
type entryReader struct {
	t     *testing.T
	types map[string]map[string]*ast.TypeSpec // by package and name
	rows  [][]string
}

// jsonTypes are the types of an entry that are not made of others, as they are
// encoded.
var jsonTypes = map[string]string{
	"Time": "time", "string": "text", "bool": "boolean", "int": "number", "uint64": "number", "uint32": "number", "uint16": "number",
	"netip.AddrPort": "address:port",
}

// fields adds the keys of a struct, whose paths begin with prefix.
func (r *entryReader) fields(pkg, name, prefix string) {
	spec := r.types[pkg][name]
	if spec == nil {
		r.t.Fatalf("there is no type %s in %s", name, pkg)
	}
	for _, f := range spec.Type.(*ast.StructType).Fields.List {
		if f.Tag == nil || len(f.Names) != 1 {
			r.t.Errorf("%s.%s: a field without a key", pkg, name)
			continue
		}
		key := reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("json")
		doc := comment("", f.Doc)
		if doc == "" || !strings.HasSuffix(doc, ".") {
			r.t.Errorf("%s.%s.%s has no comment that is a sentence", pkg, name, f.Names[0].Name)
		}
		meaning, empty := meanings(doc)
		path := prefix + key
		row := len(r.rows)
		r.rows = append(r.rows, []string{Code(path), "", meaning, empty})
		r.rows[row][1] = r.value(pkg, f.Type, path)
	}
}

// value returns the type of a key and adds the keys below it.
func (r *entryReader) value(pkg string, typ ast.Expr, path string) string {
	switch typ := typ.(type) {
	case *ast.StarExpr:
		return r.value(pkg, typ.X, path)
	case *ast.ArrayType:
		if item := r.value(pkg, typ.Elt, path+"[]"); item != "object" {
			return "list of " + item + "s"
		}
		return "list of objects"
	case *ast.MapType:
		return "object of " + r.value(pkg, typ.Value, path+".NAME") + "s"
	case *ast.SelectorExpr:
		name := typ.X.(*ast.Ident).Name
		if known, ok := jsonTypes[name+"."+typ.Sel.Name]; ok {
			return known
		}
		r.fields(name, typ.Sel.Name, path+".")
		return "object"
	case *ast.Ident:
		if known, ok := jsonTypes[typ.Name]; ok {
			return known
		}
		r.fields(pkg, typ.Name, path+".")
		return "object"
	}
	r.t.Errorf("%s has a type that is not known here", path)
	return ""
}

// meanings takes the sentences apart that say when a value is empty.
func meanings(doc string) (meaning, empty string) {
	var is, not []string
	for _, s := range sentences(doc) {
		first, _, _ := strings.Cut(s, " ")
		if first == "Empty" || first == "Null" || first == "0" {
			not = append(not, s)
		} else {
			is = append(is, s)
		}
	}
	return strings.Join(is, " "), strings.Join(not, " ")
}

// exampleEntry is a decrypted session with one request.
func exampleEntry(t *testing.T) string {
	at := func(s string) audit.Time {
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return audit.Time{Time: v}
	}
	client, origin := netip.MustParseAddrPort("10.20.0.7:51034"), netip.MustParseAddrPort("192.0.2.10:443")
	seen := netip.AddrPortFrom(origin.Addr(), 443)
	e := audit.Entry{
		Time: at("2026-01-02T10:00:03.5Z"), Start: at("2026-01-02T10:00:01.25Z"), End: at("2026-01-02T10:00:03.499Z"),
		Session: "3f9c0d6a51e27b84", Intake: "gateway", Client: client, Origin: origin, SNI: "www.example.test", ALPN: "http/1.1",
		Transport: "tcp", Protocol: "tls", Rule: "default", Action: "bump", Events: []string{}, Outcome: "bumped",
		Service: map[string]string{"av": "unmodified"}, Finding: map[string]string{},
		TLSClient:    &audit.ClientTLS{Version: "1.3", Cipher: "TLS_AES_128_GCM_SHA256", JA4: "t13d1516h2_8daaf6152771_e5627efa2ab1"},
		TLSOrigin:    &audit.OriginTLS{Version: "1.3", Cipher: "TLS_AES_128_GCM_SHA256", ChainSHA256: strings.Repeat("5a", 32), Verdict: "ok", Revocation: "good"},
		ForgedSerial: "6d1f02c7a9", Octets: audit.Octets{ClientToOrigin: 78, OriginToClient: 389},
		Mirror: map[string]audit.Mirror{"recorder": {Frames: 9, Octets: 467, Streams: []audit.Stream{}}},
		Flow:   audit.Flow{Client: client, Origin: seen, Ports: map[string]uint16{"recorder": seen.Port()}}, CommunityID: audit.CommunityID(client, seen),
		HTTP:      []facts.Exchange{{Method: "GET", Host: "www.example.test", Path: "/hello.html", Status: 200, Type: "text/html", Length: 43}},
		HTTPTotal: 1, Mail: []facts.Mail{}, Logins: []facts.Login{}, Transfers: []facts.Transfer{},
	}
	text, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReferenceOfAuditEntries(t *testing.T) {
	r := &entryReader{t: t, types: map[string]map[string]*ast.TypeSpec{
		"audit": Parse(t, "appliance/audit").Types(), "facts": Parse(t, "appliance/facts").Types(),
	}}
	r.fields("audit", "Entry", "")
	if len(r.rows) < 70 {
		t.Errorf("only %d keys found", len(r.rows))
	}
	p := NewPage("Audit entries",
		"clearspan writes one audit entry for each session when the session ends. A wire has more entries, with the outcome `dropped`: they count frames that it dropped because it could not judge them. Each cause has at most one such entry a minute, and one when clearspan ends. An entry is one JSON object on one line. The key `audit.file` of the [configuration](config.md#audit-log) sets the file.",
		"Entries hold metadata only, never content, keys or credentials. Every key is always present.")
	p.Section("Keys")
	p.Text("`[]` stands behind a list. NAME stands for the name of a mirror or service. Times are in UTC (RFC 3339) with nine digits behind the second.")
	p.Table([]string{"key", "type", "meaning", "empty, null or 0"}, r.rows)
	p.Section("Example")
	p.Text("A decrypted session with one request. In the file, the entry is on one line.")
	p.Block("json", exampleEntry(t))
	p.Section("Queries")
	p.Text("Some questions to the log, for `jq`:")
	p.Block("sh", `jq -r 'select(.reason != "") | .reason' sessions.jsonl | sort | uniq -c | sort -rn   # why sessions ended
jq -r 'select(.outcome == "failed") | [.start, .client, .sni, .reason] | @tsv' sessions.jsonl
jq -c 'select(any(.mirror[]; .lost > 0)) | {session, mirror}' sessions.jsonl          # losses of mirrors
jq -r 'select(.outcome == "dropped") | [.start, .end, .intake, .reason, .frames] | @tsv' sessions.jsonl
jq -r 'select(.session == "3f9c0d6a51e27b84")' sessions.jsonl`)
	p.Hold(t, "audit.md")
}
