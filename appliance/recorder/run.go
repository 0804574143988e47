package recorder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"

	"github.com/clearspan/clearspan/appliance/privilege"
	"github.com/clearspan/clearspan/appliance/recorder/alert"
	"github.com/clearspan/clearspan/appliance/recorder/analyst"
	"github.com/clearspan/clearspan/appliance/recorder/content"
	"github.com/clearspan/clearspan/appliance/recorder/flow"
	"github.com/clearspan/clearspan/appliance/recorder/inspect"
	"github.com/clearspan/clearspan/appliance/recorder/source"
	"github.com/clearspan/clearspan/appliance/recorder/volume"
)

// Config is what a recorder needs to know.
type Config struct {
	Directory  string
	Trail      string // URL of a ClickHouse server, or a file that has it; "": in Directory
	Interfaces []string
	Feeds      []string // addresses of pcap-over-IP servers
	Incoming   []string // directories into which captures are put
	Packets    int64    // octets of packets that are kept at most; default 10 GiB
	User       string   // whom the process becomes; "": as [privilege.FindUser] says
	Volume     volume.Options
	Inspect    inspect.Options
	Alerts     []string // addresses of receivers, see [alert.Parse]
	Log        *slog.Logger
}

// Recorder is one that is open.
type Recorder struct {
	cfg     Config
	lock    *os.File
	archive *Archive
	alerts  *alert.Queue
	seal    *sealer // nil: not open, or closed
	volumes *volume.Writer
	sources []source.Source
	started time.Time

	mu     sync.Mutex
	status Status
}

// Status is what a recorder does, as status.json in its directory has it.
type Status struct {
	Time      time.Time      `json:"time"`
	Started   time.Time      `json:"started"`
	PID       int            `json:"pid"`    // 0: it has ended
	Frames    uint64         `json:"frames"` // that the sources handed over
	Stored    uint64         `json:"stored"`
	Refused   uint64         `json:"refused"` // by the file system
	Dropped   uint64         `json:"dropped"` // by the kernel
	Analysed  uint64         `json:"analysed"`
	Lag       float64        `json:"lag_seconds"` // of the analysis behind the newest packet
	Sessions  uint64         `json:"sessions"`
	Events    uint64         `json:"events"`
	Objects   uint64         `json:"objects"`
	Findings  uint64         `json:"findings"`
	Volumes   int            `json:"volumes"`
	Packets   int64          `json:"packets_octets"`
	Sources   []SourceStatus `json:"sources"`
	Waiting   int            `json:"trail_waiting"` // batches that the server of the trail has not got yet
	LastError string         `json:"last_error,omitempty"`
}

// SourceStatus is of one source.
type SourceStatus struct {
	Name    string `json:"name"`
	Frames  uint64 `json:"frames"`
	Dropped uint64 `json:"dropped"`
}

const (
	volumeDir  = "packets"
	alertDir   = "alerts"
	statusName = "status.json"
	lockName   = "lock"
)

// New opens a recorder: its directory and its sources.
func New(c Config) (r *Recorder, err error) {
	if c.Packets <= 0 {
		c.Packets = 10 << 30
	}
	if err := os.MkdirAll(c.Directory, 0o700); err != nil {
		return nil, err
	}
	r = &Recorder{cfg: c, started: time.Now()}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if r.lock, err = os.OpenFile(filepath.Join(c.Directory, lockName), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return r, err
	}
	if err := unix.Flock(int(r.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return r, fmt.Errorf("%s is in use by another recorder", c.Directory)
	}
	kept := content.Options{Log: func(err error) { c.Log.Error("content cannot be kept", "err", err) }}
	if r.archive, err = openArchive(c.Directory, c.Trail, kept); err != nil {
		return r, err
	}
	c.Volume.Log = func(err error) { c.Log.Error("packets cannot be written", "err", err) }
	if r.volumes, err = volume.Open(filepath.Join(c.Directory, volumeDir), c.Volume); err != nil {
		return r, err
	}
	if r.seal, err = openSealer(c.Directory, r.archive); err != nil {
		return r, fmt.Errorf("seal: %w", err)
	}
	var receivers []alert.Receiver
	for _, address := range c.Alerts {
		to, err := alert.Parse(address)
		if err != nil {
			return r, err
		}
		receivers = append(receivers, to)
	}
	if r.alerts, err = alert.Open(filepath.Join(c.Directory, alertDir), receivers, c.Log); err != nil {
		return r, err
	}
	return r, r.openSources()
}

func (r *Recorder) openSources() error {
	for _, name := range r.cfg.Interfaces {
		s, err := source.Interface(name)
		if err != nil {
			return err
		}
		r.sources = append(r.sources, s)
	}
	for _, address := range r.cfg.Feeds {
		r.sources = append(r.sources, source.Feed(address, r.cfg.Log))
	}
	for _, dir := range r.cfg.Incoming {
		s, err := source.Directory(dir, r.cfg.Log)
		if err != nil {
			return err
		}
		r.sources = append(r.sources, s)
	}
	if len(r.sources) == 0 {
		return errors.New("there is no source")
	}
	return nil
}

// Confine gives up, for good, all rights that an open recorder does not need. Its directory,
// and those of captures, become the new user's.
func (r *Recorder) Confine() (*privilege.Left, error) {
	u, err := privilege.FindUser(r.cfg.User)
	if err != nil {
		return nil, err
	}
	own := append([]string{r.cfg.Directory}, r.cfg.Incoming...)
	for _, dir := range own {
		if err := u.Own(dir); err != nil {
			return nil, err
		}
	}
	var keep []cap.Value
	for _, dir := range own {
		if !u.Reaches(dir, 0o002) { // it lies in one that others may not enter
			keep = []cap.Value{cap.DAC_OVERRIDE}
		}
	}
	return privilege.Confine(privilege.Rights{User: u, Keep: keep, Writes: own, Moves: true, Reads: []string{"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl", "/usr/share/ca-certificates"}})
}

// Close closes a recorder that does not run.
func (r *Recorder) Close() (failed error) {
	for _, s := range r.sources {
		failed = errors.Join(failed, s.Close())
	}
	if r.volumes != nil {
		failed = errors.Join(failed, r.volumes.Close())
	}
	if r.seal != nil {
		failed = errors.Join(failed, r.seal.close(context.Background()))
	}
	if r.archive != nil {
		failed = errors.Join(failed, r.archive.Close())
	}
	if r.lock != nil {
		failed = errors.Join(failed, r.lock.Close())
	}
	return failed
}

const (
	flushEvery = 200 * time.Millisecond // packets to the file
	batchEvery = time.Second            // rows to the trail
	quiet      = 2 * time.Second        // without packets: what is missing does not come
)

// Run records until the context ends, and analyses what is left then.
func (r *Recorder) Run(ctx context.Context) error {
	counts := make([]SourceStatus, len(r.sources))
	var mu sync.Mutex // over counts
	var running sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	failed := make([]error, len(r.sources))
	for i, s := range r.sources {
		counts[i].Name = s.Name()
		running.Go(func() {
			failed[i] = s.Run(ctx, func(f volume.Frame) {
				mu.Lock()
				counts[i].Frames++
				mu.Unlock()
				r.volumes.Add(f)
			})
			if failed[i] != nil && ctx.Err() == nil {
				r.cfg.Log.Error("source ended", "source", s.Name(), "err", failed[i])
				stop()
			}
		})
	}
	var analysis sync.WaitGroup
	var analysed error
	analysis.Go(func() {
		if analysed = r.analyse(); analysed != nil {
			r.cfg.Log.Error("analysis ended", "err", analysed)
			stop()
		}
	})
	var telling sync.WaitGroup
	tell, told := context.WithCancel(context.Background())
	telling.Go(func() { r.alerts.Run(tell) })
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		select {
		case <-ctx.Done():
		case <-tick.C:
			r.volumes.Flush()
			if n%5 == 0 {
				mu.Lock()
				r.report(counts, os.Getpid())
				mu.Unlock()
			}
		}
	}
	running.Wait()
	closed := r.volumes.Close()
	analysis.Wait()
	told()
	telling.Wait()
	r.report(counts, 0)
	for i, err := range failed {
		if errors.Is(err, context.Canceled) {
			failed[i] = nil
		}
	}
	return errors.Join(append(failed, closed, analysed)...)
}

// report writes the status file.
func (r *Recorder) report(counts []SourceStatus, pid int) {
	c := r.volumes.Counts()
	r.mu.Lock()
	s := &r.status
	s.Time, s.Started, s.PID = time.Now().UTC(), r.started.UTC(), pid
	s.Stored, s.Refused, s.Frames, s.Dropped, s.Sources = c.Stored, c.Dropped, 0, 0, nil
	s.Waiting, s.LastError = waiting(r.archive.Trail)
	for i, one := range counts {
		one.Dropped = r.sources[i].Dropped()
		s.Frames += one.Frames
		s.Dropped += one.Dropped
		s.Sources = append(s.Sources, one)
	}
	text, err := json.MarshalIndent(s, "", "  ")
	r.mu.Unlock()
	name := filepath.Join(r.cfg.Directory, statusName)
	if err == nil {
		err = os.WriteFile(name+".tmp", append(text, '\n'), 0o600)
	}
	if err == nil {
		err = os.Rename(name+".tmp", name)
	}
	if err != nil {
		r.cfg.Log.Debug("status cannot be written", "err", err)
	}
}

// ReadStatus reads the status of the recorder of a directory.
func ReadStatus(dir string) (s Status, err error) {
	text, err := os.ReadFile(filepath.Join(dir, statusName))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

// analyse reads the packets behind the capture, to the end of the last volume.
func (r *Recorder) analyse() (err error) {
	// What is there is analysed also when the recorder is to end: the context is another one.
	ctx := context.Background()
	x, err := inspect.New(r.cfg.Inspect)
	if err != nil {
		return err
	}
	text, err := r.archive.Trail.Cursor(ctx)
	if err != nil {
		return err
	}
	cursor, err := analyst.ParseCursor(text)
	if err != nil {
		return err
	}
	open, err := r.archive.Trail.OpenSessions(ctx)
	if err != nil {
		return err
	}
	var summary ImportSummary
	a := analyst.New(analyst.Config{
		Source: "recorder", Content: r.archive.content, Examine: examiner(ctx, x, r.archive.content),
		Resume: &analyst.Resume{Cursor: cursor, Open: open},
	}, counted{telling{r.archive.Trail, r.alerts}, &summary})
	packets := volume.NewReader(filepath.Join(r.cfg.Directory, volumeDir), r.volumes, volume.Mark(cursor.From))
	defer packets.Close()
	flushed := time.Now()
	flush := func() error {
		flushed = time.Now()
		c := a.Cursor(uint64(packets.Mark()))
		if err := a.Flush(ctx, c.Bytes()); err != nil {
			return err
		}
		if err := r.seal.volumes(); err != nil {
			return fmt.Errorf("seal: %w", err)
		}
		if time.Since(r.seal.signed) >= signEvery {
			if err := r.seal.sign(ctx); err != nil {
				return fmt.Errorf("seal: %w", err)
			}
		}
		return r.retain(volume.Mark(c.From))
	}
	reached := time.Now() // the newest packet
	dirty, settled, came := false, true, reached
	for {
		f, at, err := packets.Next(ctx, flushEvery)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if f.Octets == nil {
			reached = time.Now()
			if !settled && reached.Sub(came) >= quiet {
				a.Settle()
				settled, dirty = true, true
			}
		} else {
			dirty, settled, came = true, false, time.Now()
			if err := a.AddAt(ctx, flow.Frame{Octets: f.Octets, Wire: f.Wire, At: f.At, Link: f.Link, Comment: f.Comment}, uint64(at)); err != nil {
				return err
			}
		}
		if time.Since(flushed) >= batchEvery && dirty {
			if err := flush(); err != nil {
				return err
			}
			dirty = false
			r.progress(a, &summary, time.Since(reached))
		}
	}
	if err := flush(); err != nil {
		return err
	}
	r.progress(a, &summary, 0)
	return nil
}

// progress notes how far the analysis has come.
func (r *Recorder) progress(a *analyst.Analyst, s *ImportSummary, lag time.Duration) {
	t := a.Tally()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Analysed, r.status.Sessions = t.Frames, t.Sessions
	r.status.Events, r.status.Objects, r.status.Findings = s.Events, s.Objects, s.Findings
	if r.status.Lag = lag.Seconds(); lag < batchEvery+flushEvery {
		r.status.Lag = 0
	}
}

// retain removes the oldest volumes that are not needed any more, if there are too many.
func (r *Recorder) retain(needed volume.Mark) error {
	dir := filepath.Join(r.cfg.Directory, volumeDir)
	list, err := volume.List(dir)
	if err != nil {
		return err
	}
	total := int64(0)
	for _, v := range list {
		total += v.Size
	}
	kept := len(list)
	for _, v := range list {
		if total <= r.cfg.Packets || v.Number >= needed.Number() {
			break
		}
		if err := volume.Remove(dir, v.Number); err != nil {
			return err
		}
		if err := r.seal.removed(v); err != nil {
			return fmt.Errorf("seal: %w", err)
		}
		r.cfg.Log.Info("packets removed, there are newer ones", "volume", v.Number, "first", v.First, "last", v.Last)
		total -= v.Size
		kept--
	}
	r.mu.Lock()
	r.status.Volumes, r.status.Packets = kept, total
	r.mu.Unlock()
	return nil
}
