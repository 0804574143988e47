package rights

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/blockpage"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/export"
	"github.com/clearspan/clearspan/appliance/privilege"
	"github.com/clearspan/clearspan/appliance/upstream"
	"github.com/clearspan/clearspan/mirror/pcapng"
)

func TestNeededCapabilities(t *testing.T) {
	for _, row := range []struct {
		name    string
		intake  config.Mode
		mirrors []config.Mirror
		want    string
	}{
		{"explicit, files", config.Explicit, []config.Mirror{{Kind: config.PCAPNG}, {Kind: config.PCAPOverIP}}, "none"},
		{"static", config.Static, nil, "none"},
		{"mirror port", config.Explicit, []config.Mirror{{Kind: config.Interface}}, "net_admin net_raw"},
		{"tproxy", config.TProxy, nil, "net_bind_service net_admin net_raw"},
		{"redirect", config.Redirect, nil, "net_admin"},
		{"wire", config.Wire, nil, "dac_override net_bind_service net_admin net_raw sys_admin perfmon bpf"},
	} {
		cfg := &config.Config{Intakes: []config.Intake{{Mode: row.intake}}, Mirrors: row.mirrors}
		if got := (&privilege.Left{Keep: needed(&Worker, cfg, "").Keep}).Capabilities(); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}

// Every key that names a file is among the rights: a file that is not could not be
// opened at a reload.
func TestFilesOfTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name, name) }
	cfg := &config.Config{
		State: at("state"),
		Authority: config.Authority{
			Certificate: at("certificate"), Key: at("key"), UntrustedCertificate: at("untrusted-certificate"), UntrustedKey: at("untrusted-key"),
			PassphraseFile: at("passphrase"),
		},
		Origin:   config.Origin{Roots: []string{"system", at("roots")}, Revocation: config.Revocation{CRL: []string{at("crl")}}, Upstream: upstream.Options{Credentials: at("credentials")}},
		Intakes:  []config.Intake{{Mode: config.Static, Certificates: []config.KeyFiles{{Certificate: at("site-certificate"), Key: at("site-key")}}}},
		Services: []config.Service{{Kind: config.ICAP, Roots: []string{"system", at("service-roots")}}},
		Mirrors:  []config.Mirror{{Kind: config.PCAPNG, Files: pcapng.Config{Directory: at("captures")}}},
		Policy:   config.Policy{Lists: []config.List{{File: at("list")}}},
		Recorder: &config.Recorder{Files: []string{at("hook-secret")}},
		Block:    config.Refusal{Options: blockpage.Options{Page: at("page")}},
		Audit: config.Audit{Options: audit.Options{File: at("trail")}, Outputs: []export.Output{
			{Network: export.TLS, CA: at("siem-ca"), Certificate: at("siem-certificate"), Key: at("siem-key")},
			{Network: export.File, Address: at("output")},
		}},
	}
	reads, writes := files(cfg, at("file"))
	for _, name := range []string{"certificate", "key", "untrusted-certificate", "untrusted-key", "passphrase", "roots", "crl", "site-certificate", "site-key", "service-roots", "list", "page", "credentials", "siem-ca", "siem-certificate", "siem-key", "hook-secret", "file"} {
		if !slices.Contains(reads, filepath.Dir(at(name))) {
			t.Errorf("%s is not read", name)
		}
	}
	for _, path := range []string{at("state"), at("captures"), filepath.Dir(at("trail")), filepath.Dir(at("output"))} {
		if !slices.Contains(writes, path) {
			t.Errorf("%s is not written", path)
		}
	}
	if slices.Contains(reads, ".") {
		t.Error("what is no path gives a right to the working directory")
	}
	files := 0
	for _, k := range config.Keys() {
		if k.Type == config.TypeFile || k.Type == config.TypePath {
			files++
		}
	}
	if known := 32; files != known {
		t.Errorf("%d keys name files, this test knows %d: a new one belongs into files and here", files, known)
	}
}

func TestToken(t *testing.T) {
	cfg := &config.Config{Authority: config.Authority{Certificate: "ca.crt", Key: "pkcs11:object=ca"}}
	if !needed(&Worker, cfg, "").Foreign {
		t.Error("a token's module is not seen")
	}
	if reads, _ := files(cfg, ""); slices.Contains(reads, "pkcs11:object=ca") {
		t.Error("a URI is no file")
	}
}
