package recorder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/analyst"
	"github.com/clearspan/clearspan/appliance/recorder/flow"
	"github.com/clearspan/clearspan/appliance/recorder/inspect"
	"github.com/clearspan/clearspan/appliance/recorder/judge"
	"github.com/clearspan/clearspan/appliance/recorder/volume"
)

// analysis reads packets behind the capture.
type analysis struct {
	*Recorder
	analyst *analyst.Analyst
	packets *volume.Reader
	summary ImportSummary
	volume  uint64    // in which the reader was when volumes were looked at
	flushed time.Time // rows were written
	came    time.Time // the last packet
	reached time.Time // the newest packet was read
	dirty   bool      // there are rows that were not written
	settled bool      // what waited for lost octets was told
	failing bool      // rows cannot be written
}

// analyse reads the packets to the end of the last volume. What is there is analysed also when
// the recorder is to end, see stopping.
func (r *Recorder) analyse(stopping context.Context) error {
	ctx := context.WithoutCancel(stopping)
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
	r.needed.set(cursor)
	open, err := r.archive.Trail.OpenSessions(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	w := &analysis{Recorder: r, flushed: now, came: now, reached: now, settled: true}
	w.analyst = analyst.New(analyst.Config{
		Source: "recorder", Content: r.archive.content, Examine: newExaminer(ctx, x, r.archive.content, r.archive.documents, r.cfg.Received, r.cfg.Passwords).examine,
		Keep:   r.level.keeps,
		Resume: &analyst.Resume{Cursor: cursor, Open: open},
	}, counted{telling{r.archive.writer(&r.level), r.judge, &judge.Users{}, r.alerts}, &w.summary})
	w.packets = volume.NewReader(filepath.Join(r.cfg.Directory, volumeDir), r.volumes, volume.Mark(cursor.From))
	defer w.packets.Close()
	for {
		f, at, err := w.packets.Next(ctx, flushEvery)
		switch {
		case errors.Is(err, io.EOF):
			if r.ended.Load() { // what is missing does not come
				w.analyst.Settle()
			}
			if err := w.persist(stopping, func() error { return w.flush(ctx) }); err != nil {
				return err
			}
			r.progress(w.analyst, &w.summary, 0)
			return nil
		case errors.Is(err, volume.ErrDamaged):
			r.cfg.Log.Error("volume is damaged, the rest of it is not analysed", "err", err)
			continue
		case errors.Is(err, volume.ErrLocked):
			if err := w.locked(err, volume.Mark(cursor.To)); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		if err := w.take(ctx, stopping, &f, uint64(at)); err != nil {
			return err
		}
	}
}

// take takes a frame; one without octets says that none has come for a while.
func (w *analysis) take(ctx, stopping context.Context, f *volume.Frame, at uint64) error {
	now := time.Now()
	if f.Octets == nil {
		w.reached = now
		if !w.settled && now.Sub(w.came) >= quiet {
			w.analyst.Settle()
			w.settled, w.dirty = true, true
		}
	} else {
		w.dirty, w.settled, w.came = true, false, now
		frame := flow.Frame{Octets: f.Octets, Wire: f.Wire, At: f.At, Link: f.Link, Comment: f.Comment}
		if err := w.analyst.AddAt(ctx, frame, at); err != nil { // its rows wait
			if err := w.persist(stopping, func() error { return w.analyst.Flush(ctx, nil) }); err != nil {
				return err
			}
		}
	}
	if !w.dirty || now.Sub(w.flushed) < batchEvery {
		return nil
	}
	if err := w.persist(stopping, func() error { return w.flush(ctx) }); err != nil {
		return err
	}
	w.dirty = false
	w.progress(w.analyst, &w.summary, now.Sub(w.reached))
	return nil
}

// persist tries again what the file system, or a server, does not take. The capture goes on
// meanwhile: what is not analysed lies in the volumes. It gives up when the recorder is to end:
// the next one goes on at the cursor.
func (w *analysis) persist(stopping context.Context, write func() error) error {
	for {
		err := write()
		if err == nil {
			w.failing = false
			return nil
		}
		if stopping.Err() != nil {
			return err
		}
		if !w.failing {
			w.cfg.Log.Error("rows cannot be written, the analysis waits", "err", err)
		}
		w.failing = true
		select {
		case <-stopping.Done():
		case <-time.After(batchEvery):
		}
	}
}

// flush writes rows with the cursor. When the reader has come to another volume, those that
// are complete are sealed, and the oldest may go.
func (w *analysis) flush(ctx context.Context) error {
	w.flushed = time.Now()
	c := w.analyst.Cursor(uint64(w.packets.Mark()))
	if err := w.analyst.Flush(ctx, c.Bytes()); err != nil {
		return err
	}
	if number := w.packets.Mark().Number(); number != w.volume {
		w.volumes.Forget(w.packets.Mark())
		w.archive.content.Expire()
		if err := w.seal.volumes(); err != nil {
			return fmt.Errorf("seal: %w", err)
		}
		w.volume = number
		w.wakeKeeper()
	}
	if err := w.seal.stamped(); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	w.needed.set(c)
	if time.Since(w.seal.signed) >= w.cfg.Sign {
		if err := w.seal.sign(ctx); err != nil {
			return fmt.Errorf("seal: %w", err)
		}
		links, head := w.seal.head()
		w.cfg.Log.Info("chain of evidence signed", "links", links, "head", head)
	}
	return nil
}
