package deploy

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/machine"
)

// built is the directory of the program, "" before there is one.
var built string

// program builds clearspan, once.
var program = sync.OnceValues(func() (file string, err error) {
	if built, err = os.MkdirTemp("", "clearspan-deploy-"); err != nil {
		return "", err
	}
	file = filepath.Join(built, "clearspan")
	return file, errors.Join(lab.DependOnSources(), lab.Compile(file, false))
})

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(code)
}

// service is a machine with the unit, and no package.
func service(t *testing.T) *machine.Machine {
	t.Helper()
	m := machine.ForTest(t)
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	m.Install(t, file, Program, 0o755)
	m.Install(t, "package/sysusers.conf", "/usr/lib/sysusers.d/clearspan.conf", 0o644)
	m.Write(t, "/etc/systemd/system/"+UnitName, Unit(Program), 0o644)
	m.Run(t, "systemd-sysusers && for i in lan0 wan0 lan1 mirror0; do ip link add $i type veth peer name $i-end && ip link set $i up && ip link set $i-end up; done")
	return m
}

// begin starts the service with a configuration in the profile that is enough for it.
func begin(t *testing.T, m *machine.Machine, yaml string) {
	t.Helper()
	m.Write(t, ConfigFile, yaml, 0o644)
	m.Run(t, "systemctl stop clearspan; clearspan deploy systemd -c "+ConfigFile+" && systemctl daemon-reload && systemctl start clearspan")
}

// facts prints what a test asks of the running service: of its status, its state, the
// mounts of its main process, and what the process that serves says of its rights.
const facts = `systemctl show -p StatusText --value clearspan | grep -o '\b0 sessions'
systemctl is-active clearspan
[ "$(readlink /proc/$(systemctl show -p MainPID --value clearspan)/ns/mnt)" = "$(readlink /proc/1/ns/mnt)" ] && echo machine || echo own
last=$(journalctl -u clearspan -o cat --no-pager | grep '"privileges dropped"' | tail -n 1)
case $last in *'"user":'$(id -u clearspan)[,}]*) echo clearspan ;; *) echo "$last" ;; esac
echo "$last" | grep -o '"files":"[^"]*","system_calls":"[^"]*"'`

func TestUnitOfProxy(t *testing.T) {
	t.Parallel()
	m := service(t)
	begin(t, m, "intake: [{name: p, mode: explicit, listen: 127.0.0.1:8080}]\nmirror: [{name: files, kind: pcapng, directory: pcap}]\n")
	if got, want := m.Run(t, facts), "0 sessions\nactive\nown\nclearspan\n\"files\":\"bounded\",\"system_calls\":\"bounded\"\n"; got != want {
		t.Errorf("proxy: %s, want %s", got, want)
	}
	if got := m.Run(t, "stat -c '%a %U' /var/lib/clearspan /var/lib/clearspan/authority/ca.key"); got != "700 clearspan\n600 clearspan\n" {
		t.Errorf("state: %s", got)
	}
	m.Run(t, "systemctl reload clearspan && systemctl is-active clearspan")
	m.Run(t, "clearspan reload -c "+ConfigFile+" && clearspan status -c "+ConfigFile) // as root
	m.Write(t, ConfigFile, "intak: []\n", 0o644)
	if out, err := m.Try("systemctl reload clearspan"); err == nil {
		t.Errorf("a bad configuration is reloaded: %s", out)
	}
	m.Run(t, "systemctl is-active clearspan; systemctl stop clearspan; [ $(systemctl show -p Result --value clearspan) = success ]")
	if out, err := m.Try("systemctl start clearspan"); err == nil {
		t.Errorf("a bad configuration is started: %s", out)
	}
	if got := m.Run(t, "systemctl show -p ActiveState --value clearspan"); got != "failed\n" {
		t.Errorf("a bad configuration is started again and again: %s", got)
	}
}

// TestUnitWatchdog: a process that does nothing is replaced.
func TestUnitWatchdog(t *testing.T) {
	t.Parallel()
	m := service(t)
	m.Write(t, "/etc/systemd/system/clearspan.service.d/20-soon.conf", "[Service]\nWatchdogSec=3\n", 0o644)
	begin(t, m, "intake: [{name: p, mode: explicit, listen: 127.0.0.1:8080}]\n")
	m.Run(t, "kill -STOP $(systemctl show -p MainPID --value clearspan)")
	m.Wait(t, "[ $(systemctl show -p NRestarts --value clearspan) -ge 1 ] && systemctl is-active clearspan && journalctl -u clearspan --no-pager | grep -i 'watchdog timeout'")
}

func TestUnitOfGateway(t *testing.T) {
	t.Parallel()
	m := service(t)
	begin(t, m, `intake:
  - {name: gw, mode: tproxy, listen: ":8099", from: [lan0], ports: [443]}
  - {name: nat, mode: redirect, listen: ":8098", from: [lan1], ports: [443]}
  - {name: low, mode: explicit, listen: 127.0.0.1:880}
mirror: [{name: rec, kind: interface, interface: mirror0}]
`)
	if got, want := m.Run(t, facts), "0 sessions\nactive\nown\nclearspan\n\"files\":\"bounded\",\"system_calls\":\"bounded\"\n"; got != want {
		t.Errorf("gateway: %s, want %s", got, want)
	}
	if got := m.Run(t, "journalctl -u clearspan -o cat --no-pager | grep -o '\"kept\":\"[^\"]*'"); !strings.HasPrefix(got, "\"kept\":\"net_bind_service net_admin net_raw\n") {
		t.Errorf("kept: %s", got)
	}
	m.Run(t, "systemctl stop clearspan && [ $(systemctl show -p Result --value clearspan) = success ] && ! nft list ruleset | grep clearspan")
}

func TestUnitOfWire(t *testing.T) {
	t.Parallel()
	m := service(t)
	begin(t, m, `intake: [{name: w, mode: wire, legs: [lan0, wan0], ports: [443], down: wire}]
`)
	if got, want := m.Run(t, facts), "0 sessions\nactive\nmachine\nclearspan\n\"files\":\"bounded\",\"system_calls\":\"bounded\"\n"; got != want {
		t.Errorf("wire: %s, want %s", got, want)
	}
	taking := "clearspan wire status | grep 'taking connections'"
	m.Wait(t, taking)
	m.Run(t, "systemctl kill -s KILL clearspan; clearspan wire status | grep 'attached  true'")
	m.Wait(t, "[ $(systemctl show -p NRestarts --value clearspan) -ge 1 ] && systemctl is-active clearspan && "+taking)
	// The records of the wire stay where the service ends: its programs carry frames.
	m.Run(t, "systemctl stop clearspan && clearspan wire status | grep 'attached  true' && clearspan wire remove w")
}
