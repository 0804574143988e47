package recorder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"kernel.org/pub/linux/libs/security/libcap/cap"

	"github.com/clearspan/clearspan/appliance/privilege"
	"github.com/clearspan/clearspan/appliance/recorder/alert"
	"github.com/clearspan/clearspan/appliance/recorder/content"
	"github.com/clearspan/clearspan/appliance/recorder/inspect"
	"github.com/clearspan/clearspan/appliance/recorder/judge"
	"github.com/clearspan/clearspan/appliance/recorder/retain"
	"github.com/clearspan/clearspan/appliance/recorder/source"
	"github.com/clearspan/clearspan/appliance/recorder/volume"
)

// Config is what a recorder needs to know.
type Config struct {
	Directory  string
	Trail      string // URL of a ClickHouse server, or a file that has it; "": in Directory
	Interfaces []source.Port
	Feeds      []string          // addresses of pcap-over-IP servers
	Incoming   []string          // directories into which captures are put
	Input      *os.File          // a capture that another program writes, see [source.Pipe]; nil: none
	Engine     *net.UnixListener // at which engines connect, see package engine; nil: none does
	Retain     retain.Policy
	User       string // whom the process becomes; "": as [privilege.FindUser] says
	Volume     volume.Options
	Encrypt    Encryption
	API        string // where questions are answered, see package api; who runs the recorder does that
	Inspect    inspect.Options
	Received   bool          // inspect what clients receive, too
	Passwords  bool          // try the words of mail messages on encrypted zip archives between the same people
	Inside     []string      // networks and domains of mail, see [judge.Config]
	Rules      []judge.Rule  // which findings are told; empty: see [judge.Judge.Judge]
	Alerts     []string      // receivers, see [alert.Parse]
	Sign       time.Duration // between signatures of the chain of evidence; default 1 h
	Timestamp  string        // URL of an authority (RFC 3161) that stamps signatures; "": none does
	Wait       bool          // for another recorder of the directory, which ends
	Extractor  []string      // as in [ImportOptions]
	Log        *slog.Logger
}

// Recorder is one that is open.
type Recorder struct {
	cfg     Config
	lock    *os.File
	archive *Archive
	alerts  *alert.Queue
	judge   *judge.Judge
	seal    *sealer // nil: not open, or closed
	stamps  *stamper
	volumes *volume.Writer
	sources []source.Source
	started time.Time
	level   diskLevel
	needed  reach
	wake    chan struct{} // there is something to remove, maybe
	ended   atomic.Bool   // all sources have, by themselves

	mu     sync.Mutex
	status Status
}

const (
	volumeDir  = "packets"
	alertDir   = "alerts"
	statusName = "status.json"
)

// New opens a recorder: its directory and its sources.
func New(c Config) (r *Recorder, err error) {
	if c.Retain.Packets.Size <= 0 {
		c.Retain.Packets.Size = 10 << 30
	}
	if c.Sign <= 0 {
		c.Sign = signEvery
	}
	if err := os.MkdirAll(c.Directory, 0o700); err != nil {
		return nil, err
	}
	r = &Recorder{cfg: c, started: time.Now(), wake: make(chan struct{}, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if r.lock, err = lockDirectory(c.Directory, c.Wait); err != nil {
		return r, err
	}
	packets, contents, err := c.Encrypt.recipients()
	if err != nil {
		return r, err
	}
	c.Volume.Recipients = packets
	kept := content.Options{Recipients: contents, Log: func(err error) { c.Log.Error("content cannot be kept", "err", err) }}
	if r.archive, err = openArchive(c.Directory, c.Trail, kept); err != nil {
		return r, err
	}
	if r.archive.documents, err = startTextReader(c.Extractor, c.User); err != nil {
		return r, err
	}
	c.Volume.Log = func(err error) { c.Log.Error("packets cannot be written", "err", err) }
	if r.volumes, err = volume.Open(filepath.Join(c.Directory, volumeDir), c.Volume); err != nil {
		return r, err
	}
	if r.seal, err = openSealer(c.Directory, r.archive); err != nil {
		return r, fmt.Errorf("seal: %w", err)
	}
	r.stamps = newStamper(c.Timestamp, c.Log)
	r.seal.stamps = r.stamps
	if err := r.openAlerts(); err != nil {
		return r, err
	}
	return r, r.openSources()
}

// openAlerts opens what tells of findings.
func (r *Recorder) openAlerts() (err error) {
	var receivers []alert.Receiver
	var names []string
	for _, address := range r.cfg.Alerts {
		to, err := alert.Parse(address)
		if err != nil {
			return err
		}
		receivers, names = append(receivers, to), append(names, to.Name())
	}
	r.judge, err = judge.New(judge.Config{Inside: r.cfg.Inside, Rules: r.cfg.Rules, Detectors: Detectors(r.cfg.Inspect), Receivers: names})
	if err == nil {
		r.alerts, err = alert.Open(filepath.Join(r.cfg.Directory, alertDir), receivers, r.cfg.Log)
	}
	return err
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

// Lend has an archive read text in the process of the recorder, which may have no other. The
// archive is to be closed before the recorder.
func (r *Recorder) Lend(a *Archive) { a.documents, a.lent = r.archive.documents, true }

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

// Run records until the context ends, or no source has more, and analyses what is left then.
func (r *Recorder) Run(ctx context.Context) error {
	frames := make([]atomic.Uint64, len(r.sources))
	var running sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	failed := make([]error, len(r.sources))
	var left atomic.Int64 // sources
	left.Store(int64(len(r.sources)))
	for i, s := range r.sources {
		running.Go(func() {
			failed[i] = s.Run(ctx, func(f volume.Frame) {
				frames[i].Add(1)
				r.volumes.Add(f)
			})
			switch {
			case ctx.Err() != nil:
				failed[i] = nil // it was ended
			case failed[i] != nil:
				failed[i] = fmt.Errorf("source %s ended: %w", s.Name(), failed[i])
				stop()
			case left.Add(-1) == 0:
				r.ended.Store(true)
				stop()
			}
		})
	}
	var analysis sync.WaitGroup
	var analysed error
	analysis.Go(func() {
		if analysed = r.analyse(ctx); analysed != nil {
			analysed = fmt.Errorf("analysis: %w", analysed)
			stop()
		}
	})
	running.Go(func() { r.keep(ctx) })
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
				r.watchDisk()
				r.report(frames, os.Getpid())
			}
		}
	}
	running.Wait()
	closed := r.volumes.Close()
	analysis.Wait()
	told()
	telling.Wait()
	if _, err := (&keeper{Recorder: r}).volumesToKeep(time.Now(), 0, 0); err != nil {
		r.cfg.Log.Debug("packets cannot be counted", "err", err)
	}
	r.report(frames, 0)
	return errors.Join(append(failed, closed, analysed)...)
}
