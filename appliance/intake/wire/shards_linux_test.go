package wire_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/hack/tempo"
)

// holdUp has one of the loops stand still, and returns the connection for whose sake
// it does.
func (b *bench) holdUp(p *daemonProcess) net.Conn {
	b.t.Helper()
	conn, err := b.Client.Dial("tcp", echoV4)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	io.WriteString(conn, "STILL\n")
	tempo.Until(b.t, "a loop stands still", func() bool {
		select {
		case <-p.still:
			return true
		default:
			return false
		}
	})
	return conn
}

// While a shard stands still, those beside it take connections; its own are taken
// when it goes on.
func TestShardsRunSideBySide(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.echo("tcp", ":443")
	p := b.start(settings{Procs: 8, Stall: time.Minute})
	b.await(true)
	held := b.holdUp(p)

	const n = 64
	var answered atomic.Int32
	done := make(chan error, n)
	for range n {
		conn, err := b.Client.Dial("tcp", echoV4)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(time.Minute))
		go func() {
			io.WriteString(conn, "hello\n")
			_, err := io.ReadFull(conn, make([]byte, 6))
			if err == nil {
				answered.Add(1)
			}
			done <- err
		}()
	}
	tempo.Until(t, "connections of other shards are answered", func() bool { return answered.Load() >= n/4 })
	if err := p.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	for range n {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if _, err := io.ReadFull(held, make([]byte, 6)); err != nil {
		t.Errorf("held up: %v", err)
	}
	p.expect(n + 1)
	p.stop()
}

// A wire of which one shard stands still takes nothing: what that shard does not
// judge would pass, or wait, unnoticed.
func TestShardStandsStill(t *testing.T) {
	t.Parallel()
	for _, down := range []intake.Down{intake.DownWire, intake.DownBlock} {
		t.Run(string(down), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.echo("tcp", ":443")
			p := b.start(settings{Procs: 8, Down: down})
			b.await(true)
			held := b.holdUp(p)
			b.await(false)
			for i := range 16 { // of every shard
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				if down == intake.DownBlock {
					ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
				}
				conn, err := b.Client.DialContext(ctx, "tcp", echoV4)
				cancel()
				switch {
				case down == intake.DownBlock && err == nil:
					conn.Close()
					t.Fatalf("connection %d passes a blocked wire", i)
				case down == intake.DownBlock:
					continue
				case err != nil:
					t.Fatal(err)
				}
				if got, err := line(conn, "hello\n"); got != "hello\n" {
					t.Errorf("connection %d: %q, %v", i, got, err)
				}
				conn.Close()
			}
			p.expect(0)
			if err := p.Signal(syscall.SIGUSR1); err != nil {
				t.Fatal(err)
			}
			b.await(true)
			if _, err := io.ReadFull(held, make([]byte, 6)); err != nil {
				t.Errorf("held up: %v", err)
			}
			if err := b.once(); err != nil {
				t.Errorf("afterwards: %v", err)
			}
			p.stop()
		})
	}
}

// With one processor, and with more than a wire has shards for.
func TestShardCounts(t *testing.T) {
	t.Parallel()
	for _, procs := range []int{1, 3, 40} {
		t.Run(fmt.Sprintf("%d processors", procs), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.echo("tcp", ":443")
			p := b.start(settings{Procs: procs})
			b.await(true)
			for range 20 {
				if err := b.exchange("tcp", echoV4, []byte("hello")); err != nil {
					t.Error(err)
				}
				if err := b.exchange("tcp", echoV4, []byte("TUNNEL"+strings.Repeat("x", 9000))); err != nil {
					t.Error(err)
				}
			}
			p.expect(20)
			p.stop()
		})
	}
}

// BenchmarkTakeOver measures how fast flows are taken that wait already, so that
// clients and origin cost nothing meanwhile, with the processors of the box bound.
func BenchmarkTakeOver(b *testing.B) {
	const flows = 3000
	for _, row := range []struct {
		name, cpus string
		procs      int
	}{
		{"1 processor, 1 shard", "0", 1},
		{"2 processors, 1 shard", "0,1", 2},
		{"2 processors, 2 shards", "0,1", 4},
		{"2 processors, 4 shards", "0,1", 8},
	} {
		b.Run(row.name, func(b *testing.B) {
			x := newBench(b)
			x.echo("tcp", ":443")
			p := x.start(settings{Stall: time.Minute, CPUs: row.cpus, Procs: row.procs, Brief: true})
			x.await(true)
			var used, busiest, took time.Duration
			taken := 0
			for b.Loop() {
				b.StopTimer()
				if err := p.Signal(unix.SIGSTOP); err != nil {
					b.Fatal(err)
				}
				before := x.status().Paths["held"]
				fds := make([]int, 0, flows)
				err := x.Client.Do(func() error {
					for range flows {
						fd, err := connect()
						if err != nil {
							return err
						}
						fds = append(fds, fd)
						if err := hello(fd); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
				tempo.Until(b, "flows are held", func() bool { return x.status().Paths["held"] >= before+flows })
				cpu, loops := processorTime(b, p.Pid()), loopTimes(b, p.Pid())
				b.StartTimer()
				start := time.Now()
				if err := p.Signal(unix.SIGCONT); err != nil {
					b.Fatal(err)
				}
				for _, fd := range fds {
					// A reset may overtake an answer that was lost.
					if err := answer(fd); err != nil && !errors.Is(err, unix.ECONNRESET) {
						b.Error(err)
					}
				}
				took += time.Since(start)
				b.StopTimer()
				used += processorTime(b, p.Pid()) - cpu
				longest := time.Duration(0)
				for thread, d := range loopTimes(b, p.Pid()) {
					longest = max(longest, d-loops[thread])
				}
				busiest += longest
				taken += flows
				for _, fd := range fds {
					unix.Close(fd)
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(taken)/took.Seconds(), "takeovers/s")
			b.ReportMetric(float64(used.Microseconds())/float64(taken), "cpu-us/takeover")
			// What no processor can take over from the busiest loop, however busy the machine is.
			b.ReportMetric(float64(busiest.Microseconds())/float64(taken), "busiest-us/takeover")
			b.ReportMetric(0, "ns/op")
			p.stop()
		})
	}
}

// BenchmarkLatency measures what a client waits that is alone: from its first octets
// to the answer, over connections one after the other.
func BenchmarkLatency(b *testing.B) {
	x := newBench(b)
	x.echo("tcp", ":443")
	p := x.start(settings{})
	x.await(true)
	all := make([]time.Duration, 0, 1<<16)
	cpu := processorTime(b, p.Pid())
	err := x.Client.Do(func() error {
		for b.Loop() {
			d, err := quick()
			if err != nil {
				return err
			}
			all = append(all, d)
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	cpu = processorTime(b, p.Pid()) - cpu
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Nanoseconds())/1e3, "p50-us")
	b.ReportMetric(float64(all[len(all)*99/100].Nanoseconds())/1e3, "p99-us")
	b.ReportMetric(float64(cpu.Microseconds())/float64(len(all)), "cpu-us/session")
	p.stop()
}

// BenchmarkBulk measures what octets cost on a wire, of all processes that touch them
// there: from the origin to the client, of a session that is relayed, and of one that
// passes.
func BenchmarkBulk(b *testing.B) {
	const size = 1 << 30
	for _, hello := range []string{"hello\n", "TUNNEL\n"} {
		b.Run(strings.ToLower(strings.TrimSpace(hello)), func(b *testing.B) {
			x := newBench(b)
			l, err := x.Origin.Listen("tcp", ":443")
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					io.ReadFull(conn, make([]byte, len(hello)))
					block := make([]byte, 256<<10)
					for left := size; left > 0; left -= len(block) {
						if _, err := conn.Write(block); err != nil {
							break
						}
					}
					conn.Close()
				}
			}()
			p := x.start(settings{})
			x.await(true)
			box, all, n := processorTime(b, p.Pid()), ownTime(b), 0
			for b.Loop() {
				conn, err := x.Client.Dial("tcp", echoV4)
				if err != nil {
					b.Fatal(err)
				}
				io.WriteString(conn, hello)
				got, block := 0, make([]byte, 256<<10)
				for {
					m, err := conn.Read(block)
					if got += m; err != nil {
						break
					}
				}
				conn.Close()
				if got != size {
					b.Fatalf("%d octets", got)
				}
				n++
			}
			box, all = processorTime(b, p.Pid())-box, ownTime(b)-all
			b.ReportMetric(box.Seconds()/float64(n), "box-cpu-s/GiB")
			b.ReportMetric((box+all).Seconds()/float64(n), "cpu-s/GiB")
			p.stop()
		})
	}
}

// TestHeldFlowTakesNoProcessor has clients that send half a hello: the loop, whose
// thread runs before all others, waits meanwhile. A machine under load gives it less.
func TestHeldFlowTakesNoProcessor(t *testing.T) {
	b := newBench(t)
	b.echo("tcp", ":443")
	p := b.start(settings{})
	b.await(true)
	const clients = 5
	sum := func() (all time.Duration) {
		for _, used := range threadTimes(t, p.Pid()) {
			all += used
		}
		return all
	}
	before, began := sum(), time.Now()
	for range clients {
		conn, err := b.Client.Dial("tcp", echoV4)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte("MORE of it")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond) // then it is taken as it is
		conn.Close()
	}
	if used, wall := sum()-before, time.Since(began); used > wall/2 {
		t.Errorf("%v of processor time in %v", used, wall)
	}
	p.stop()
}

// threadTimes are what the threads of a process have used.
func threadTimes(t testing.TB, pid int) map[int]time.Duration {
	t.Helper()
	all := make(map[int]time.Duration)
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a thread that has just ended
		}
		first, _, _ := strings.Cut(string(text), " ")
		ns, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		thread, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			t.Fatal(err)
		}
		all[thread] = time.Duration(ns)
	}
	return all
}

// loopTimes are those of threads with the priority of loops.
func loopTimes(t testing.TB, pid int) map[int]time.Duration {
	t.Helper()
	all := threadTimes(t, pid)
	for thread := range all {
		if a, err := unix.SchedGetAttr(thread, 0); err != nil || a.Policy != unix.SCHED_RR {
			delete(all, thread)
		}
	}
	return all
}

// processorTime is what all threads of a process have used.
func processorTime(t testing.TB, pid int) (total time.Duration) {
	t.Helper()
	for _, d := range threadTimes(t, pid) {
		total += d
	}
	return total
}

// ownTime is what this process has used.
func ownTime(t testing.TB) time.Duration {
	t.Helper()
	return processorTime(t, os.Getpid())
}
