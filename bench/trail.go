package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/appliance/recorder/trail/clickhouse"
	"github.com/clearspan/clearspan/appliance/recorder/trail/sqlite"
	"github.com/clearspan/clearspan/appliance/recorder/trail/trailtest"
)

// TrailOptions describes a run of [Trail].
type TrailOptions struct {
	Out    io.Writer
	Events int      // 0: 10,000,000
	Days   int      // over which they are spread; 0: 90
	Only   []string // stores, "sqlite" and "clickhouse"; none: both
	Rounds int      // of each question; 0: 20
}

// Trail has both stores of a trail keep the events of an office over days, and ask for some. It
// tells events a second of CPU time, octets an event, and how long answers take.
func Trail(ctx context.Context, o TrailOptions) (err error) {
	if o.Events == 0 {
		o.Events = 10_000_000
	}
	if o.Days == 0 {
		o.Days = 90
	}
	if o.Rounds == 0 {
		o.Rounds = 20
	}
	dir, err := os.MkdirTemp("", "clearspan-trail-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	m := trailtest.Mix{Begin: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Events: o.Events, Days: o.Days}
	wants := func(name string) bool { return len(o.Only) == 0 || slices.Contains(o.Only, name) }
	if wants("sqlite") {
		place := filepath.Join(dir, "sqlite")
		open := func() (trail.Store, error) { return sqlite.Open(place) }
		if err := measureTrail(ctx, o, m, "SQLite", open, func() int64 { return sizeOf(place) }); err != nil {
			return err
		}
		if err := os.RemoveAll(place); err != nil {
			return err
		}
	}
	if !wants("clickhouse") {
		return nil
	}
	program, err := exec.LookPath("clickhouse-server")
	if err != nil {
		fmt.Fprintf(o.Out, "ClickHouse is left out: %v\n", err)
		return nil
	}
	place := filepath.Join(dir, "clickhouse")
	url, stop, err := startClickHouse(ctx, program, place)
	if err != nil {
		return err
	}
	defer stop()
	open := func() (trail.Store, error) {
		return clickhouse.Open(clickhouse.Config{URL: url, Spool: filepath.Join(dir, "spool")})
	}
	return measureTrail(ctx, o, m, "ClickHouse", open, func() int64 { return sizeOf(filepath.Join(place, "data", "data")) })
}

// startClickHouse starts a server in a directory.
func startClickHouse(ctx context.Context, program, dir string) (url string, stop func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	for name, text := range map[string]string{
		"users.xml": `<yandex><profiles><default/></profiles><quotas><default/></quotas><users><default><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default></users></yandex>`,
		"config.xml": `<yandex><logger><level>warning</level><console>1</console></logger><http_port>` + port + `</http_port><listen_host>127.0.0.1</listen_host><path>` + dir + `/data/</path><tmp_path>` + dir +
			`/tmp/</tmp_path><users_config>users.xml</users_config><mark_cache_size>67108864</mark_cache_size><default_profile>default</default_profile><default_database>default</default_database></yandex>`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return "", nil, err
		}
	}
	cmd := exec.CommandContext(ctx, program, "--config-file="+filepath.Join(dir, "config.xml"))
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() { cmd.Process.Kill(); cmd.Wait() }
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if w, err := http.Get("http://" + address + "/"); err == nil {
			w.Body.Close()
			return "http://" + address + "/?database=trail", stop, nil
		}
	}
	stop()
	return "", nil, errors.New("ClickHouse does not answer")
}

// sizeOf returns the octets of the files below a directory.
func sizeOf(dir string) (n int64) {
	filepath.WalkDir(dir, func(_ string, e os.DirEntry, err error) error {
		if err == nil {
			if i, err := e.Info(); err == nil && !e.IsDir() {
				n += i.Size()
			}
		}
		return nil
	})
	return n
}

// trailQuestion is what is asked for: the text of a query with the number of an event in it.
type trailQuestion struct {
	name string
	ask  func(ctx context.Context, s trail.Store, m trailtest.Mix, i int) (int, error)
}

// search returns a question for events.
func search(text func(m trailtest.Mix, i int) string) func(context.Context, trail.Store, trailtest.Mix, int) (int, error) {
	return func(ctx context.Context, s trail.Store, m trailtest.Mix, i int) (n int, err error) {
		q, err := trail.Language.Parse(text(m, i))
		if err != nil {
			return 0, err
		}
		err = s.Events(ctx, trail.Question{Query: q, Limit: 100}, func(*trail.Full) bool { n++; return true })
		return n, err
	}
}

// one returns an event of the mix with something in it.
func one(m trailtest.Mix, i int, wanted func(*trail.Batch) bool) *trail.Batch {
	for ; ; i++ {
		if b := m.Batch(i%m.Events, 1); wanted(b) {
			return b
		}
	}
}

var trailQuestions = []trailQuestion{
	{"a hash that was seen once", search(func(m trailtest.Mix, i int) string {
		return "object:" + one(m, i, func(b *trail.Batch) bool { return len(b.Texts) > 0 }).Sightings[0].Hash.String()
	})},
	{"a hash that is not there", search(func(_ trailtest.Mix, i int) string { return "object:" + trailtest.Hash(uint64(i)).String() })},
	{"a client", search(func(m trailtest.Mix, i int) string { return "client:" + m.Client(i%2000).String() })},
	{"a client that is not there", search(func(_ trailtest.Mix, i int) string { return fmt.Sprintf("client:192.0.2.%d", i%256) })},
	{"a rare host", search(func(m trailtest.Mix, i int) string { return "host:" + m.Host(19000+i%1000) })},
	{"a word in texts and names", search(func(m trailtest.Mix, i int) string {
		b := one(m, i, func(b *trail.Batch) bool { return len(b.Events[0].MessageID) > 0 })
		return "text:falcon " + "from:" + b.Events[0].Sender
	})},
	{"a word that is not there", search(func(_ trailtest.Mix, i int) string { return fmt.Sprintf("text:nowhere%d", i) })},
	{"findings of a kind", search(func(trailtest.Mix, int) string { return "finding:my-number" })},
	{"top hosts of a day", func(ctx context.Context, s trail.Store, m trailtest.Mix, i int) (int, error) {
		day := m.Begin.AddDate(0, 0, i%max(m.Days-1, 1))
		list, err := s.Top(ctx, trail.Question{From: day, To: day.AddDate(0, 0, 1)}, trail.FieldHost, 20)
		return len(list), err
	}},
	{"top hosts of all days", func(ctx context.Context, s trail.Store, m trailtest.Mix, _ int) (int, error) {
		list, err := s.Top(ctx, trail.Question{From: m.Begin, To: m.Begin.AddDate(0, 0, m.Days)}, trail.FieldHost, 20)
		return len(list), err
	}},
	{"timeline of all days", func(ctx context.Context, s trail.Store, m trailtest.Mix, _ int) (int, error) {
		list, err := s.Timeline(ctx, trail.Question{From: m.Begin, To: m.Begin.AddDate(0, 0, m.Days)}, 24*time.Hour)
		return len(list), err
	}},
}

// measureTrail fills a store, opens it again, and asks.
func measureTrail(ctx context.Context, o TrailOptions, m trailtest.Mix, name string, open func() (trail.Store, error), size func() int64) error {
	s, err := open()
	if err != nil {
		return err
	}
	const batch = 20_000
	var busy time.Duration
	begin := time.Now()
	for from := 0; from < o.Events; from += batch {
		b := m.Batch(from, min(batch, o.Events-from))
		at := time.Now()
		if err := s.Write(ctx, b); err != nil {
			return errors.Join(err, s.Close())
		}
		busy += time.Since(at)
		if from/batch%25 == 0 {
			fmt.Fprintf(o.Out, "%s: %d of %d events, %.0f a second of writing\n", name, from+len(b.Events), o.Events, float64(from+len(b.Events))/busy.Seconds())
		}
	}
	at := time.Now()
	if err := s.Close(); err != nil {
		return err
	}
	fmt.Fprintf(o.Out, "%s: %d events of %d days in %.0f s, %.0f a second of writing, closed in %.1f s, %.1f octets an event\n", name, o.Events, o.Days, time.Since(begin).Seconds(),
		float64(o.Events)/busy.Seconds(), time.Since(at).Seconds(), float64(size())/float64(o.Events))
	fmt.Fprintf(o.Out, "\n| %s | events | cold ms | p50 ms | p95 ms |\n|---|---|---|---|---|\n", name)
	for _, q := range trailQuestions {
		if err := askTrail(ctx, o, m, q, open); err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
	}
	fmt.Fprintln(o.Out)
	return nil
}

// askTrail opens a store, asks once with files that are not in memory, and then again and again
// for other values.
func askTrail(ctx context.Context, o TrailOptions, m trailtest.Mix, q trailQuestion, open func() (trail.Store, error)) (err error) {
	dropCaches()
	s, err := open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var times []time.Duration
	found := 0
	for i := range o.Rounds + 1 {
		at := time.Now()
		n, err := q.ask(ctx, s, m, i*(m.Events/(o.Rounds+2))+i)
		if err != nil {
			return err
		}
		times, found = append(times, time.Since(at)), found+n
	}
	cold, warm := times[0], times[1:]
	slices.Sort(warm)
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }
	_, err = fmt.Fprintln(o.Out, "| "+strings.Join([]string{q.name, fmt.Sprint(found / len(times)), ms(cold), ms(warm[len(warm)/2]), ms(warm[len(warm)*95/100])}, " | ")+" |")
	return err
}

// dropCaches has the kernel forget what it holds of files, if it may be asked to.
func dropCaches() { os.WriteFile("/proc/sys/vm/drop_caches", []byte("1"), 0) }
