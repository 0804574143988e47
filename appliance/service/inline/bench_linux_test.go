package inline

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/decrypt"
)

// direct relays beside any device: what the path through one is compared with.
type direct struct{}

func (direct) Carry(_ context.Context, _ *decrypt.Session, client, origin decrypt.End) error {
	return bypass(client, origin)
}

// BenchmarkCarry measures 64 MiB to the client, whole sessions, and small exchanges
// on an open session, through a bridge and beside it, in one interleaved run. CPU
// time is that of the process and of the kernel on its behalf, both ends included.
func BenchmarkCarry(b *testing.B) {
	bed := newLab(b)
	bed.bridge()
	bed.open(nil)
	const size = 64 << 20
	ways := []struct {
		name string
		decrypt.Service
	}{{"direct", direct{}}, {"inline", bed.Device}}
	var bulk, short [2]float64
	var turns [2][]time.Duration
	var port uint16 = 20_000
	next := func() netip.AddrPort {
		port++
		return netip.AddrPortFrom(client4.Addr(), port)
	}
	const each = 50
	rounds := 0
	for b.Loop() {
		rounds++
		for i, path := range ways {
			before := cpu()
			s := bed.carry(path.Service, next(), origin4)
			var wg sync.WaitGroup
			wg.Go(func() {
				io.Copy(s.origin, io.LimitReader(zeros{}, size))
				s.origin.CloseWrite()
			})
			if n, err := io.Copy(io.Discard, s.client); n != size || err != nil {
				b.Fatalf("%s: %d octets, %v", path.name, n, err)
			}
			s.client.CloseWrite()
			<-s.done
			wg.Wait()
			bulk[i] += cpu() - before
			before = cpu()
			for range each {
				s := bed.carry(path.Service, next(), origin4)
				if err := talk(s, request, answer); err != nil {
					b.Fatal(err)
				}
				<-s.done
			}
			short[i] += cpu() - before

			s = bed.carry(path.Service, next(), origin4)
			one := make([]byte, 1)
			for range 200 {
				start := time.Now()
				s.client.Write(one)
				io.ReadFull(s.origin, one)
				s.origin.Write(one)
				if _, err := io.ReadFull(s.client, one); err != nil {
					b.Fatal(err)
				}
				turns[i] = append(turns[i], time.Since(start))
			}
			s.client.Close()
			s.origin.Close()
			<-s.done
		}
	}
	for i, path := range ways {
		b.ReportMetric(bulk[i]/float64(rounds)*(1<<30)/size, path.name+"-s/GiB")
		b.ReportMetric(short[i]/float64(rounds)/each*1e6, path.name+"-us/session")
		slices.Sort(turns[i])
		for _, p := range []int{50, 99} {
			at := turns[i][len(turns[i])*p/100]
			b.ReportMetric(float64(at.Microseconds()), fmt.Sprintf("%s-p%d-us", path.name, p))
		}
	}
}

// cpu returns the processor time of the process so far, in seconds.
func cpu() float64 {
	var u unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// TestAllocations: nothing is allocated for a chunk.
func TestAllocations(t *testing.T) {
	bed := newLab(t)
	bed.bridge()
	bed.open(nil)
	s := bed.carry(bed.Device, client4, origin4)
	buffer := make([]byte, 32<<10)
	turn := func() {
		s.client.Write(buffer)
		io.ReadFull(s.origin, buffer)
		s.origin.Write(buffer)
		io.ReadFull(s.client, buffer)
	}
	for range 20 {
		turn()
	}
	if n := testing.AllocsPerRun(200, turn); n >= 1 && !raceEnabled {
		t.Errorf("%.0f allocations for an exchange of 64 KiB", n)
	}
}
