package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/hack/needs"
)

// parse reads a configuration with one intake of the given text and other lines.
func parse(t *testing.T, intake string, lines ...string) *config.Config {
	t.Helper()
	text := "intake:\n  - " + intake + "\n" + strings.Join(lines, "\n") + "\n"
	if !strings.Contains(text, "state:") {
		text += "state: /var/lib/clearspan\n"
	}
	cfg, err := config.Parse("clearspan.yaml", []byte(text), "/etc/clearspan")
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

const proxy = "{name: p, mode: explicit, listen: 127.0.0.1:8080}"

// samples are configurations, and the profile that is enough for each.
func samples(t *testing.T) []struct {
	name string
	cfg  *config.Config
	want Profile
} {
	return []struct {
		name string
		cfg  *config.Config
		want Profile
	}{
		{"proxy", parse(t, proxy), Proxy},
		{"captures elsewhere", parse(t, proxy, "mirror: [{name: files, kind: pcapng, directory: /srv/captures}]"), Proxy},
		{"captures at home", parse(t, proxy, "mirror: [{name: files, kind: pcapng, directory: /home/recorder}]"), Proxy},
		{"another user", parse(t, proxy, "user: daemon"), Proxy},
		{"user root", parse(t, proxy, "user: root"), Gateway},
		{"low port of an intake", parse(t, "{name: p, mode: explicit, listen: 127.0.0.1:80}"), Gateway},
		{"low port of a page", parse(t, proxy, "authority: {publish: 127.0.0.1:80}"), Gateway},
		{"names", parse(t, "{name: n, mode: dns, listen: 127.0.0.1:53, upstream: 192.0.2.1}"), Gateway},
		{"mirror port", parse(t, proxy, "mirror: [{name: rec, kind: interface, interface: mirror0}]"), Gateway},
		{"tproxy", parse(t, `{name: gw, mode: tproxy, listen: ":8099", from: [lan0]}`), Gateway},
		{"redirect", parse(t, `{name: gw, mode: redirect, listen: ":8098", from: [lan0]}`), Gateway},
		{"wire", parse(t, "{name: w, mode: wire, legs: [lan0, wan0]}"), Wire},
		{"inline device", parse(t, proxy, "services: [{name: ips, kind: inline, legs: [chain0, chain1]}]"), Wire},
	}
}

func TestChoose(t *testing.T) {
	for _, s := range samples(t) {
		if got, why := Choose(s.cfg); got != s.want || (why == "") != (got == Proxy) {
			t.Errorf("%s: %s (%s), want %s", s.name, got, why, s.want)
		}
	}
}

func TestDropIn(t *testing.T) {
	for _, row := range []struct {
		name, file  string
		cfg         *config.Config
		has, hasNot []string
		notes       string
	}{
		{"proxy", ConfigFile, parse(t, proxy), []string{Written + ConfigFile + "\n"}, []string{"ExecStart", "ReadWritePaths"}, ""},
		{
			"another file and directory", "/srv/a b/%c.yaml", parse(t, proxy, "state: /srv/state"),
			[]string{"\nExecStart=\nExecStart=/usr/bin/clearspan run -c /srv/a\\x20b/%%c.yaml\n", "\nReadWritePaths=-/srv/state\n"}, nil, "give /srv/state to the user clearspan",
		},
		{
			"home", ConfigFile, parse(t, proxy, "user: mirror", "mirror: [{name: files, kind: pcapng, directory: /home/m/pcap}]"),
			[]string{"\nUser=mirror\nGroup=\n", "\nProtectHome=read-only\n", "\nReadWritePaths=-/home/m/pcap\n"}, nil, "give /home/m/pcap to the user mirror",
		},
		{"gone directory", ConfigFile, parse(t, proxy, "audit: {file: /tmp/trail}"), nil, nil, "give /tmp to the user clearspan; move /tmp elsewhere: the service has a /tmp of its own"},
		{"wire", ConfigFile, parse(t, "{name: w, mode: wire, legs: [lan0, wan0]}", "state: /srv/state"), nil, []string{"\nReadWritePaths", "\nProtectHome"}, ""},
	} {
		text, notes := DropIn(row.cfg, row.file, Program)
		for _, want := range row.has {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", row.name, want, text)
			}
		}
		for _, not := range row.hasNot {
			if strings.Contains(text, not) {
				t.Errorf("%s: %q in\n%s", row.name, not, text)
			}
		}
		if got := strings.Join(notes, "; "); got != row.notes {
			t.Errorf("%s: notes %q, want %q", row.name, got, row.notes)
		}
	}
}

// mounting are the options by which systemd gives a unit mounts of its own
// (exec_needs_mount_namespace in its sources).
var mounting = []string{
	"Protect", "Private", "ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "ExecPaths", "NoExecPaths", "Bind", "TemporaryFileSystem",
	"Root", "Mount", "ExtensionImages", "DynamicUser", "ProcSubset", "LogNamespace", "JoinsNamespaceOf",
}

// TestWireHasTheMachinesMounts: the profile of wires has no option that would end a wire
// with its process. These two make no mounts.
func TestWireHasTheMachinesMounts(t *testing.T) {
	for _, name := range []string{"systemd/" + UnitName, "systemd/wire.conf"} {
		text, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			option, _, ok := strings.Cut(line, "=")
			if !ok || strings.HasPrefix(line, "#") || option == "ProtectClock" || option == "ProtectHostname" {
				continue
			}
			if slices.ContainsFunc(mounting, func(prefix string) bool { return strings.HasPrefix(option, prefix) }) {
				t.Errorf("%s has %s, which makes mounts of its own", name, option)
			}
		}
	}
}

// TestExposure: systemd counts no more of the machine in reach of each profile than this,
// in tenths.
func TestExposure(t *testing.T) {
	limits := map[Profile]int{Proxy: 14, Gateway: 44, Wire: 55}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		needs.Missing(t, err)
	}
	for _, s := range samples(t) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			unit, dropIn := filepath.Join(dir, UnitName), filepath.Join(dir, UnitName+".d", DropInName)
			program := "/bin/true" // systemd-analyze verify wants to find it
			text, _ := DropIn(s.cfg, "/etc/hostname", program)
			err := os.Mkdir(filepath.Dir(dropIn), 0o755)
			if err == nil {
				err = os.WriteFile(unit, []byte(strings.ReplaceAll(Unit(program), "man:", "https://man/")), 0o644)
			}
			if err == nil {
				err = os.WriteFile(dropIn, []byte(text), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("systemd-analyze", "security", "--offline=true", fmt.Sprintf("--threshold=%d", limits[s.want]), unit).CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			t.Log(lastLine(string(out)))
			out, err = exec.Command("systemd-analyze", "verify", "--recursive-errors=no", unit).CombinedOutput()
			if err != nil || strings.Contains(string(out), "clearspan") {
				t.Errorf("verify: %v\n%s", err, out)
			}
		})
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
