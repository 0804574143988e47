package keeper

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/keeper/role"
)

// The test program is keeper and worker, too. Its file's name says how it behaves as a
// new program.
func TestMain(m *testing.M) {
	program := "newer"
	if path, err := os.Executable(); err == nil {
		program = filepath.Base(path)
	}
	switch {
	case len(os.Args) == 2 && os.Args[1] == "role":
		behave(program)
		os.Exit(role.Main(echo, explain))
	case os.Getenv("CLEARSPAN_TEST_KEEPER") != "":
		os.Exit(keep(os.Getenv("CLEARSPAN_TEST_KEEPER")))
	}
	os.Exit(m.Run())
}

// behave is how programs misbehave that are upgraded to.
func behave(program string) {
	switch program {
	case "dies":
		os.Exit(3)
	case "hangs":
		time.Sleep(time.Hour)
	}
}

func explain(error) (int, json.RawMessage) { return 1, nil }

// versions are those of programs.
var versions = map[string]string{"older": "v1.0.0", "newer": "v1.2.0", "lazy": "v1.2.0"}

func version() string {
	path, _ := os.Executable()
	if v, ok := versions[filepath.Base(path)]; ok {
		return v
	}
	return "v1.1.0"
}

// settings is the configuration of the test's box.
type settings struct {
	Listen []string // addresses
	Worker string   // how a worker behaves: "", "lazy" (not ready), "mortal", "rude", "silent", "greedy", "bad"
	Tied   bool
	Greet  string // changes in place
	Tie    string // a Unix socket that the keeper alone is connected to
	Drain  time.Duration
}

// keep is the keeper process. dir has its configuration and state.
func keep(dir string) int {
	inherited := Inherit()
	k := New(Config{
		Name: "keeper-test", Program: "/proc/self/exe", Arguments: []string{"role"}, Version: version(), Inherited: inherited,
		Read: func() ([]byte, error) { return os.ReadFile(filepath.Join(dir, "settings")) },
		MakePlan: func(text []byte) (*Plan, error) {
			var s settings
			if err := json.Unmarshal(text, &s); err != nil {
				return nil, err
			}
			if path, _ := os.Executable(); filepath.Base(path) == "confused" {
				return nil, errors.New("this program does not understand the plan")
			}
			p := &Plan{Configuration: text, Parsed: s, Tied: s.Tied, Drain: s.Drain, Resources: []Resource{Orders(dir)}}
			for _, at := range s.Listen {
				p.Resources = append(p.Resources, Listener("intake/"+at, "tcp", at, net.ListenConfig{}))
			}
			if s.Tie != "" {
				p.Resources = append(p.Resources, tied(s.Tie))
			}
			p.InPlace = func(running *Plan) bool {
				a, b := running.Parsed.(settings), s
				a.Greet, b.Greet = "", ""
				return reflect.DeepEqual(a, b)
			}
			p.Changed = func(*Plan) []string { return []string{"something"} }
			return p, nil
		},
		Prompt:   func() (string, error) { return "sesame", nil },
		Patience: 3 * time.Second, Beats: 2 * time.Second,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)), Explain: explain,
	})
	if err := k.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "keeper:", err)
		return 1
	}
	return 0
}

// tied is a resource of two files: workers get the first.
func tied(path string) Resource {
	return Resource{
		Name: "tie", Key: "tie " + path, Sole: true,
		Open: func() (Holding, error) {
			null, err := os.Open(os.DevNull)
			if err != nil {
				return nil, err
			}
			conn, err := net.Dial("unix", path)
			if err != nil {
				return nil, err
			}
			defer conn.Close()
			f, err := conn.(*net.UnixConn).File()
			return tie{Files{null, f}}, err
		},
		Adopt: func(files []*os.File) (Holding, error) { return tie{files}, nil },
	}
}

type tie struct{ all Files }

func (t tie) Files() []*os.File  { return t.all }
func (t tie) Shared() []*os.File { return t.all[:1] }
func (t tie) Stop() error        { return nil }
func (t tie) Close() error       { return t.all.Close() }

// echo is a worker: it answers each line with its number, its greeting and the line.
func echo(ctx context.Context, p *role.Process) error {
	var s settings
	if err := json.Unmarshal(p.Configuration, &s); err != nil {
		return err
	}
	if p.Check {
		return p.Ready(version())
	}
	if s.Worker == "bad" {
		return errors.New("these settings are bad")
	}
	program, _ := os.Executable()
	if s.Worker == "lazy" || filepath.Base(program) == "lazy" {
		<-ctx.Done()
		return nil
	}
	if n := len(p.Holder.Take("tie")); s.Tie != "" && n != 1 {
		return fmt.Errorf("%d descriptors of the tie", n)
	}
	w := &echoer{number: p.Number, process: p, greet: s.Greet}
	for _, at := range s.Listen {
		list, err := p.Holder.Listeners("intake/" + at)
		if err != nil || len(list) == 0 {
			return fmt.Errorf("listener %s: %v", at, err)
		}
		w.listeners = append(w.listeners, list...)
	}
	if err := p.Confined(); err != nil {
		return err
	}
	if err := p.Ready(version()); err != nil {
		return err
	}
	return w.serve(ctx, s.Worker)
}

type echoer struct {
	number    int
	process   *role.Process
	listeners []net.Listener
	mu        sync.Mutex
	greet     string
	sessions  sync.WaitGroup
}

func (w *echoer) serve(ctx context.Context, manner string) error {
	var loops sync.WaitGroup
	for _, l := range w.listeners {
		loops.Go(func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				w.sessions.Go(func() { w.session(ctx, conn) })
			}
		})
	}
	switch manner {
	case "mortal":
		panic("a fault of its own")
	case "rude":
		w.process.Tell(role.State{Sessions: -1})
	}
	beat := time.NewTicker(100 * time.Millisecond)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
			if manner != "silent" {
				w.process.Beat()
			}
		case o := <-w.process.Orders():
			if o.Refused != nil {
				continue
			}
			if o.Drain == nil {
				var s settings
				json.Unmarshal(o.Configuration, &s)
				w.mu.Lock()
				w.greet = s.Greet
				w.mu.Unlock()
				o.Done(role.Result{Changed: []string{"greet"}})
				continue
			}
			for _, l := range w.listeners {
				l.Close()
			}
			loops.Wait()
			ended := make(chan struct{})
			go func() { w.sessions.Wait(); close(ended) }()
			select {
			case <-ended:
			case <-time.After(o.Drain.For):
			case <-ctx.Done():
			}
			return nil
		}
	}
}

func (w *echoer) session(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		w.mu.Lock()
		answer := fmt.Sprintf("%d %s%s", w.number, w.greet, line)
		w.mu.Unlock()
		switch word := strings.TrimSpace(line); word {
		case "passphrase":
			a, err := w.process.Ask(ctx, role.AskPassphrase)
			if err != nil {
				return
			}
			answer = a.Text + "\n"
		case "upgrade":
			cwd, _ := os.Getwd()
			r, err := Send(cwd, Order{Do: "upgrade", Binary: "/bin/true"}, time.Minute)
			if err == nil {
				err = r.Result.Err()
			}
			answer = fmt.Sprintln(err)
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}
