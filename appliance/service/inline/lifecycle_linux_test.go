package inline

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"

	"github.com/clearspan/clearspan/hack/netlab"
)

// daemonEnv has the test binary run a device instead of tests.
const daemonEnv = "CLEARSPAN_TEST_INLINE"

// settings configure the device of a daemon.
type settings struct {
	Name    string
	Confine bool // give all capabilities up that an open device does not need
}

// daemon runs a device in the process's own namespace until SIGTERM. It carries a
// session first.
func daemon(text string) error {
	var s settings
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	d, err := New(Config{Name: s.Name, Legs: [2]string{"chain0", "chain1"}, Port: 80})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if s.Confine {
		if err := confine(); err != nil {
			return err
		}
	}
	for deadline := time.Now().Add(20 * time.Second); !d.Up(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return errors.New("device is not up")
		}
	}
	for range 2 {
		c, err := d.dial(ctx, client4, origin4)
		if err == nil {
			err = c.clientPort.write([]byte("x"))
		}
		if err == nil {
			_, _, err = c.originPort.read()
		}
		if err != nil {
			return err
		}
		c.clientPort.reset()
		c.originPort.reset()
	}
	fmt.Println("ready")
	<-ctx.Done()
	return d.Close()
}

// confine keeps what the package's documentation says, in every thread.
func confine() error {
	set := cap.NewSet()
	for _, flag := range []cap.Flag{cap.Permitted, cap.Effective} {
		if err := set.SetFlag(flag, true, cap.NET_ADMIN, cap.NET_BIND_SERVICE); err != nil {
			return err
		}
	}
	return set.SetProc()
}

// daemon starts a device of that name in a process of its own, in the box.
func (b *testbed) daemon(s settings) (*netlab.Cmd, error) {
	text, _ := json.Marshal(s)
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := b.box.Command(context.Background(), self)
	cmd.Env = append(os.Environ(), daemonEnv+"="+string(text))
	out, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, b.log
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	go func() {
		<-cmd.Done()
		w.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	go io.Copy(io.Discard, out)
	if line != "ready\n" {
		return cmd, fmt.Errorf("daemon said %q, %v: %s", line, err, b.log)
	}
	return cmd, nil
}

// state is what must be the same after a device as before.
func (b *testbed) state() []string {
	b.t.Helper()
	var all []string
	for _, name := range []string{"chain0", "chain1"} {
		attrs, err := b.box.Interface(name)
		if err != nil {
			all = append(all, err.Error())
			continue
		}
		all = append(all, fmt.Sprintf("%s up=%v promisc=%d", name, attrs.RawFlags&unix.IFF_UP != 0, attrs.Promisc))
	}
	for _, glob := range []string{"/run/netns/clearspan-inline-" + b.box.FullName() + "*", stateDir + "/" + b.box.FullName() + "*"} {
		names, _ := filepath.Glob(glob)
		all = append(all, names...)
	}
	return all
}

// TestClose: everything is as it was, and a name that is in use is refused.
func TestClose(t *testing.T) {
	b := newLab(t)
	b.bridge()
	if err := b.box.SetUp("chain1", false); err != nil { // to be given back as it was
		t.Fatal(err)
	}
	before := b.state()
	b.open(nil)
	s := b.carry(b.Device, client4, origin4)
	b.exchange(s, request, answer)
	name := b.config.Name
	if during := b.state(); slices.Equal(during, before) {
		t.Errorf("nothing is different: %v", during)
	}
	if d, err := New(Config{Name: name, Legs: [2]string{"lo", "lo2"}}); !errors.Is(err, ErrInUse) {
		t.Errorf("a second device of the name: %v, %v", d, err)
	}
	running := b.carry(b.Device, client6, origin6)
	io.WriteString(running.client, "x")
	io.ReadFull(running.origin, make([]byte, 1))
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if after := b.state(); !slices.Equal(after, before) {
		t.Errorf("after: %v\nbefore: %v", after, before)
	}
	if _, err := b.Counters(); err == nil {
		t.Error("counters can be read after the end")
	}
	if _, err := io.ReadAll(running.client); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("client of a running session read %v, want a reset", err)
	}
	b.end(running, b.Device, Broken)
}

// TestRefused: what cannot be a leg leaves everything as it was.
func TestRefused(t *testing.T) {
	b := newLab(t)
	before := b.state()
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no such leg", func(c *Config) { c.Legs[1] = "chain9" }, "chain9"},
		{"one leg", func(c *Config) { c.Legs[1] = "chain0" }, "not two legs"},
		{"not Ethernet", func(c *Config) { c.Legs[1] = "lo" }, "lo"},
		{"VLAN", func(c *Config) { c.VLAN = 4095 }, "VLAN 4095"},
		{"name", func(c *Config) { c.Name = "../x" }, "name"},
		{"probe", func(c *Config) { c.Probe.Client = client4.Addr() }, "probe"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Config{Name: b.box.FullName(), Legs: [2]string{"chain0", "chain1"}}
			tt.change(&c)
			d, err := newDevice(c, b.host())
			if err == nil {
				d.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one about %s", err, tt.want)
			}
			if after := b.state(); !slices.Equal(after, before) {
				t.Errorf("after: %v\nbefore: %v", after, before)
			}
		})
	}
}

// TestConfined: an open device, its end included, needs little.
func TestConfined(t *testing.T) {
	t.Parallel()
	b := newLab(t)
	b.bridge()
	before := b.state()
	cmd, err := b.daemon(settings{Name: b.box.FullName(), Confine: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Stop(10 * time.Second); err != nil {
		t.Errorf("end of the daemon: %v\n%s", err, b.log)
	}
	if after := b.state(); !slices.Equal(after, before) {
		t.Errorf("after: %v\nbefore: %v", after, before)
	}
}

// TestKilled: the next start, of whatever device, cleans up.
func TestKilled(t *testing.T) {
	t.Parallel()
	b := newLab(t)
	b.bridge()
	before := b.state()
	for _, next := range []string{"-a", "-b"} {
		cmd, err := b.daemon(settings{Name: b.box.FullName() + "-a"})
		if err != nil {
			t.Fatal(err)
		}
		cmd.Signal(syscall.SIGKILL)
		cmd.Wait()
		if during := b.state(); slices.Equal(during, before) {
			t.Errorf("nothing is different: %v", during)
		}
		cmd, err = b.daemon(settings{Name: b.box.FullName() + next})
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Stop(10 * time.Second); err != nil {
			t.Errorf("end of the daemon: %v\n%s", err, b.log)
		}
		if after := b.state(); !slices.Equal(after, before) {
			t.Errorf("after: %v\nbefore: %v", after, before)
		}
	}
}
