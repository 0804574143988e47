// Package layering holds the direction of dependencies: which folder may import
// which, and why not.
package layering

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/clearspan/clearspan"

// A ban says that packages below from must not import packages below any of to.
// Test files are free unless tests says otherwise.
type ban struct {
	from   string
	to     []string
	except []string // packages below from that are free
	allow  []string // packages below to that are free to all
	reason string
}

var bans = []ban{
	{
		from:   "decrypt",
		to:     []string{module + "/mirror", module + "/certs", module + "/appliance", module + "/bench"},
		reason: "the engine takes what it needs as interfaces; it is usable without our certificates, frames and box",
	},
	{
		from:   "mirror",
		to:     []string{module + "/decrypt", module + "/certs", module + "/appliance", module + "/bench"},
		reason: "the synthesizer knows octets, not TLS",
	},
	{
		from:   "certs",
		to:     []string{module + "/decrypt", module + "/mirror", module + "/appliance", module + "/bench"},
		reason: "certificates are signed and judged without a session at hand",
	},
	{
		from:   "certs/fetch",
		to:     []string{module},
		reason: "leaf package; what gets revocation files must not come to judge certificates",
	},
	{
		from:   "decrypt",
		to:     []string{"github.com/vishvananda", "github.com/cilium", "github.com/gopacket", "github.com/google/gopacket"},
		reason: "no netlink, no frames in the engine",
	},
	{
		from:   "mirror",
		to:     []string{"."}, // anything with a dot in its first element: not the standard library
		except: []string{"mirror/afpacket", "mirror/internal/link", "mirror/internal/linktest", "mirror/port", "mirror/capfile", "mirror/capture", "mirror/xdp", "mirror/pcapng", "mirror/pcapip", "mirror/vxlan", "mirror/mirrortest"},
		reason: "the synthesizer is standard library only; each sink brings its own dependency",
	},
	{
		from:   "mirror",
		to:     []string{"net/http", "net/mail", "net/smtp", "net/textproto", "net/url", "mime", "golang.org/x/net", "golang.org/x/text"},
		reason: "it knows no application protocol; the appliance's feed renders them",
	},
	{
		from:   "appliance/feed/http2",
		to:     []string{module + "/decrypt", module + "/certs", module + "/appliance"},
		allow:  []string{module + "/decrypt/proto"},
		reason: "it renders octets into conversations; what they belong to is for the feed to know",
	},
	{
		from:   "appliance/feed/mysql",
		to:     []string{module + "/decrypt", module + "/certs", module + "/appliance"},
		reason: "it rewrites octets; what they belong to is for the feed to know",
	},
	{
		from:   "appliance/feed/inflate",
		to:     []string{module + "/decrypt", module + "/certs", module + "/appliance", module + "/mirror"},
		allow:  []string{module + "/decrypt/proto"},
		reason: "it inflates octets; what they belong to is for the feed to know",
	},
	{
		from:   "mirror/conformance",
		to:     []string{module},
		allow:  []string{module + "/mirror/capfile", module + "/mirror/internal/dissector"}, // files; a table of tshark's, which judges
		reason: "it judges our frames as it does a peer's, with code of its own",
	},
	{
		from:   "appliance",
		to:     []string{module + "/hack", module + "/bench"},
		reason: "hack is for tests, benchmarks and the demo; bench measures the product and is no part of it",
	},
	{
		from:   "appliance/intake",
		to:     []string{module + "/mirror", module + "/certs", module + "/appliance/config"},
		reason: "an intake hands connections over; it knows neither the configuration file nor what becomes of them",
	},
	{
		from:   "appliance/service/inline",
		to:     []string{module + "/mirror", module + "/certs", module + "/appliance/config", module + "/appliance/intake"},
		reason: "an inline device is a service to the engine; it knows no configuration file, and no frames but by the kernel",
	},
	{
		from:   "appliance/control",
		to:     []string{module + "/mirror", module + "/certs", module + "/appliance/config", module + "/appliance/intake", module + "/appliance/service"},
		reason: "it tells what the box answers; the box is behind an interface",
	},
	{
		from:   "appliance/netspace",
		to:     []string{module},
		reason: "leaf package",
	},
	{
		from:   "appliance/notify",
		to:     []string{module},
		reason: "leaf package; what it tells the service manager is told by its caller",
	},
	{
		from:   "appliance/keeper",
		to:     []string{module, "crypto", "net/http", "encoding/xml", "golang.org/x/net", "golang.org/x/crypto"},
		allow:  []string{module + "/appliance/keeper"},
		reason: "it has all rights, and reads nothing that comes from the network: no protocol, no TLS, no configuration",
	},
	{
		from:   "appliance/privilege",
		to:     []string{module},
		except: []string{"appliance/privilege/rights"},
		reason: "leaf package; what it grants is told by its caller",
	},
	{
		from:   "appliance/spool",
		to:     []string{module},
		reason: "leaf package; it knows lines, not what they tell",
	},
	{
		from:   "appliance",
		to:     []string{"github.com/landlock-lsm/go-landlock", "github.com/elastic/go-seccomp-bpf"},
		except: []string{"appliance/privilege"},
		reason: "one package bounds the process",
	},
	{
		from:   "appliance/intake/nameserver",
		to:     []string{module},
		reason: "leaf package; it forwards queries and comes near no session",
	},
	{
		from:   "appliance",
		to:     []string{"github.com/miekg/dns"},
		except: []string{"appliance/intake/nameserver"},
		reason: "one package knows the DNS library",
	},
	{
		from:   "appliance/publish",
		to:     []string{module + "/mirror", module + "/decrypt", module + "/appliance/config", module + "/appliance/intake", module + "/appliance/admin"},
		reason: "everybody may read the page: it reaches nothing but certificates",
	},
	{
		from:   "appliance/facts",
		to:     []string{module, "net", "os", "time"},
		allow:  []string{module + "/appliance/dissect", module + "/decrypt/proto"},
		reason: "it keeps what a dissector says; what it belongs to is for the feed to know",
	},
	{
		from:   "appliance/dissect",
		to:     []string{module, "net", "os", "time"},
		allow:  []string{module + "/decrypt/proto", module + "/decrypt/sniff", module + "/decrypt/clienthello", module + "/decrypt/quic", "net/netip"},
		reason: "it tells what octets say: no session of the engine, no frames, no storage, no I/O, no goroutines",
	},
	{
		from:   "appliance/object",
		to:     []string{module, "net", "os"},
		allow:  []string{module + "/appliance/object", "net/url"},
		reason: "it reads contents: where they come from and go to is for its callers",
	},
	{
		from:   "appliance/recorder/flow",
		to:     []string{module, "net", "os"},
		allow:  []string{module + "/decrypt/proto", "net/netip"},
		reason: "it brings frames into order: what they say is for the dissectors, where they come from for the capture",
	},
	{
		from:   "appliance/recorder",
		to:     []string{module + "/decrypt", module + "/certs", module + "/appliance"},
		allow:  []string{module + "/decrypt/proto", module + "/decrypt/sniff", module + "/decrypt/clienthello", module + "/appliance/recorder", module + "/appliance/dissect", module + "/appliance/object", module + "/appliance/query", module + "/appliance/privilege", module + "/appliance/syslog"},
		reason: "it records what was captured, by whatever box: it knows no engine and no part of ours",
	},
	{
		from:   "appliance/recorder/trail",
		to:     []string{module, "net"},
		allow:  []string{module + "/appliance/recorder/trail", module + "/appliance/query", "net/netip", "net/http", "net/url"},
		reason: "storage knows no protocols",
	},
	{
		from:   "appliance/blockpage",
		to:     []string{module + "/mirror", module + "/certs", module + "/appliance"},
		allow:  []string{module + "/appliance/oneconn"},
		reason: "every client reaches the page: it knows the session that was refused and nothing else",
	},
	{
		from:   "appliance/service",
		to:     []string{module + "/mirror", module + "/certs", module + "/appliance/intake", module + "/appliance/admin"},
		reason: "a service sees cleartext and its session, nothing of the box around them",
	},
	{
		from:   "appliance/service/web",
		to:     []string{module + "/appliance/service/icap", module + "/appliance/service/inline"},
		reason: "the engine knows HTTP, not by what protocol services are reached",
	},
	{
		from:   "appliance/service/web/h1",
		to:     []string{module + "/appliance/service/web/h2"},
		reason: "the versions of HTTP share what is in adapt and buffered, and nothing else",
	},
	{
		from:   "appliance/service/web/h2",
		to:     []string{module + "/appliance/service/web/h1"},
		reason: "the versions of HTTP share what is in adapt and buffered, and nothing else",
	},
	{
		from:   "appliance/service/web/ws",
		to:     []string{module + "/appliance/service/web/h1", module + "/appliance/service/web/h2"},
		reason: "it carries frames, whatever version of HTTP led to them",
	},
	{
		from:   "appliance/service/web/buffered",
		to:     []string{module + "/appliance"},
		reason: "it knows ends, not what they carry",
	},
	{
		from:   "appliance/config",
		to:     []string{module + "/appliance/authority", module + "/appliance/feed", module + "/appliance/publish"},
		reason: "configuration is data: it knows types of options, see acting, and nothing of the box",
	},
	{
		from:   "appliance/explain",
		to:     []string{module + "/mirror", module + "/certs", module + "/appliance"},
		allow:  []string{module + "/mirror/capfile"}, // the one reader of captures
		reason: "it tells what a policy does; it does nothing itself",
	},
	{
		from:   "decrypt/internal/leg",
		to:     []string{module},
		reason: "leaf package; it knows a connection and no session",
	},
	{
		from:   "decrypt/internal/handshake",
		to:     []string{module + "/decrypt/internal/relay", module + "/decrypt/policy", module + "/decrypt/learn", module + "/decrypt/sniff", module + "/decrypt/starttls", module + "/decrypt/clienthello"},
		reason: "it takes a connection and what is offered; the session decides and judges",
	},
	{
		from:   "decrypt/internal/relay",
		to:     []string{module + "/decrypt/internal/handshake", module + "/decrypt/policy", module + "/decrypt/learn", module + "/decrypt/sniff", module + "/decrypt/starttls", module + "/decrypt/clienthello"},
		reason: "it carries octets between two legs; the session decides",
	},
	{
		from:   "decrypt/internal/relay",
		to:     []string{module + "/decrypt/internal/request", module + "/decrypt/proto/http1", module + "/decrypt/proto/http2"},
		reason: "it knows no protocol; an inspector does",
	},
	{
		from:   "decrypt/internal/request",
		to:     []string{module + "/decrypt/internal/relay", module + "/decrypt/internal/leg", module + "/decrypt/policy", module + "/decrypt/sniff"},
		reason: "it reads requests, which its judge decides about; it carries nothing",
	},
	{
		from:   "decrypt/clienthello",
		to:     []string{module},
		reason: "leaf package",
	},
	{
		from:   "decrypt/quic",
		to:     []string{module + "/decrypt/policy", module + "/decrypt/sniff", module + "/decrypt/learn", "github.com/quic-go", "golang.org"},
		reason: "it reads what strangers send, with the standard library and our parser of hellos; whoever judges is outside",
	},
	{
		from:   "decrypt/sniff",
		to:     []string{module},
		allow:  []string{module + "/decrypt/proto"},
		reason: "it recognizes protocols by their syntax, and knows nothing else of them",
	},
	{
		from:   "decrypt/proto",
		to:     []string{module + "/decrypt/policy", module + "/decrypt/learn", module + "/decrypt/starttls", module + "/decrypt/sniff"},
		reason: "it reads what strangers send; what it means, and to whom, is for others to say",
	},
	{
		from:   "decrypt",
		to:     []string{"golang.org/x/net/http2"},
		allow:  []string{"golang.org/x/net/http2/hpack"},
		reason: "decrypt/proto/http2 knows the frames of HTTP/2",
	},
	{
		from:   "appliance",
		to:     []string{"golang.org/x/net/http2"},
		allow:  []string{"golang.org/x/net/http2/hpack"},
		reason: "decrypt/proto/http2 knows the frames of HTTP/2",
	},
	{
		from:   "decrypt/proto/http2",
		to:     []string{"io", "net", "os", "sync", "time"},
		reason: "syntax has no I/O, no clock and no goroutine",
	},
	{
		from:   "decrypt/proto/websocket",
		to:     []string{"net", "os", "sync", "time"},
		reason: "syntax has no I/O, no clock and no goroutine",
	},
	{
		from:   "decrypt/learn",
		to:     []string{module + "/decrypt/clienthello", module + "/decrypt/sniff", module + "/decrypt/starttls", "crypto/tls"},
		reason: "it remembers what it is told; the engine knows TLS",
	},
	{
		from:   "decrypt/policy",
		to:     []string{module},
		reason: "leaf package",
	},
	{
		from:   "appliance/service/icap",
		to:     []string{module},
		allow:  []string{module + "/decrypt/proto/http1"},
		reason: "it is a client of ICAP for anybody, and knows the syntax of HTTP alone",
	},
	{
		from:   "appliance/service/mail",
		to:     []string{module + "/mirror", module + "/certs", module + "/appliance/config", module + "/appliance/intake", module + "/appliance/service/web"},
		reason: "a service sees cleartext and its session, nothing of the box around them",
	},
}

// translator may import both decrypt and mirror, and configuration their types of options.
const translator = "appliance/feed"

func TestImports(t *testing.T) {
	root := filepath.Join("..", "..")
	files := 0
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, file)
		rel = filepath.ToSlash(rel)
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && rel != "." || rel == "bin" || rel != "." && isModule(file)) {
			return filepath.SkipDir
		}
		if d.IsDir() || !isSource(d.Name()) {
			return nil
		}
		files++
		checkFile(t, file, rel)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Fatalf("only %d files found below %s: the walk is broken", files, root)
	}
}

// isModule reports whether a folder is the root of a module.
func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// isSource reports whether a file is Go and no test.
func isSource(name string) bool {
	return strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go")
}

func checkFile(t *testing.T, file, rel string) {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return
	}
	dir := path.Dir(rel)
	var decrypt, mirror bool
	for _, spec := range f.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		decrypt = decrypt || imported == module+"/decrypt"
		mirror = mirror || imported == module+"/mirror"
		for _, b := range bans {
			if b.forbids(dir, imported) {
				t.Errorf("%s imports %s: %s", rel, imported, b.reason)
			}
		}
	}
	if decrypt && mirror && dir != translator && dir != configuration {
		t.Errorf("%s imports both decrypt and mirror: only %s translates between them", rel, translator)
	}
}

func (b ban) forbids(dir, imported string) bool {
	if !below(dir, b.from) {
		return false
	}
	for _, e := range b.except {
		if below(dir, e) {
			return false
		}
	}
	for _, a := range b.allow {
		if below(imported, a) {
			return false
		}
	}
	for _, to := range b.to {
		if to == "." {
			first, _, _ := strings.Cut(imported, "/")
			if strings.Contains(first, ".") && !below(imported, module+"/"+b.from) {
				return true
			}
		} else if below(imported, to) {
			return true
		}
	}
	return false
}

// below reports whether p is dir or lies below it.
func below(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

func TestBansBite(t *testing.T) {
	for _, tt := range []struct {
		dir, imported string
		want          bool
	}{
		{"mirror", "golang.org/x/sys/unix", true},
		{"mirror/afpacket", "golang.org/x/sys/unix", false},
		{"mirror", "golang.org/x/net/http2/hpack", true},
		{"mirror/pcapip", "golang.org/x/net/http2/hpack", true},
		{"mirror/conformance", "net/http", true},
		{"appliance/feed/http2", "golang.org/x/net/http2/hpack", false},
		{"appliance/feed/http2", "golang.org/x/net/http2", true},
		{"appliance/feed/http2", module + "/mirror", false},
		{"appliance/feed/http2", module + "/decrypt/policy", true},
		{"appliance/feed/http2", module + "/decrypt/proto/http2", false},
		{"mirror/internal/checksum", "encoding/binary", false},
		{"mirror/conformance", module + "/mirror", true},
		{"mirror/conformance", "github.com/gopacket/gopacket", true},
		{"mirror/conformance", "net/netip", false},
		{"mirror", module + "/mirror/internal/checksum", false},
		{"decrypt/policy", module + "/decrypt", true},
		{"decrypt", module + "/decrypt/policy", false},
		{"decrypt/internal/leg", module + "/decrypt/proto", true},
		{"decrypt/internal/relay", module + "/decrypt/internal/leg", false},
		{"decrypt/internal/relay", module + "/decrypt/policy", true},
		{"decrypt/internal/handshake", module + "/decrypt/internal/relay", true},
		{"certs", module + "/decrypt", true},
		{"appliance/intake", module + "/decrypt", false},
		{"appliance/service/web", module + "/appliance/service/icap", true},
		{"appliance/service/web/h2", module + "/appliance/service/web/h1", true},
		{"appliance/service/web/h2", module + "/appliance/service/web/adapt", false},
		{"appliance/service", module + "/appliance/service/icap", false},
		{"appliance/service/inline", module + "/mirror", true},
		{"appliance/service/inline", module + "/decrypt", false},
		{"appliance/netspace", module + "/decrypt", true},
		{"appliance/service/icap", module + "/decrypt", true},
		{"appliance/service/icap", module + "/decrypt/proto/http1", false},
		{"appliance/dissect", module + "/decrypt", true},
		{"appliance/dissect", module + "/decrypt/policy", true},
		{"appliance/dissect", module + "/decrypt/proto/http1", false},
		{"appliance/dissect", "net/netip", false},
		{"appliance/service/mail", module + "/appliance/service/icap", false},
		{"appliance/service/mail", module + "/appliance/config", true},
	} {
		got := false
		for _, b := range bans {
			got = got || b.forbids(tt.dir, tt.imported)
		}
		if got != tt.want {
			t.Errorf("%s importing %s: forbidden = %v, want %v", tt.dir, tt.imported, got, tt.want)
		}
	}
}
