package extractor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/privilege"
)

// Environment of both processes.
const (
	userVariable   = "CLEARSPAN_EXTRACTOR_USER"
	readerVariable = "CLEARSPAN_EXTRACTOR_READER"
)

// Descriptors of both processes. The reader has the first only.
const (
	dataFD    = 3
	controlFD = 4
)

// Main is what the command of [Options] calls: the warden, and the reader that it starts.
func Main() error {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP) // they end with their parent
	os.WriteFile("/proc/self/comm", []byte("clearspan"), 0)
	if err := privilege.Harden(); err != nil {
		return err
	}
	u, err := privilege.FindUser(os.Getenv(userVariable))
	if err != nil && os.Getenv(userVariable) != "" {
		return err
	}
	if os.Getenv(readerVariable) != "" {
		return read(u)
	}
	// What it may start is bounded by its user: a filter of calls would bind the reader, too.
	if _, err := privilege.Confine(privilege.Rights{User: u, Foreign: true}); err != nil {
		return err
	}
	w := &warden{control: os.NewFile(controlFD, "control")}
	unix.CloseOnExec(dataFD)
	unix.CloseOnExec(controlFD)
	go w.listen()
	return w.run()
}

// warden keeps one reader there.
type warden struct {
	control *os.File

	mu      sync.Mutex
	process *os.Process
	number  uint32 // of readers that have ended
	ending  bool
}

// fast is how short a reader may live, over and over.
const (
	short = 200 * time.Millisecond
	pause = time.Second
)

// run starts readers until the recorder is gone.
func (w *warden) run() error {
	runtime.LockOSThread() // the reader ends with this thread
	data := os.NewFile(dataFD, "data")
	for {
		began := time.Now()
		c := exec.Command("/proc/self/exe", os.Args[1:]...)
		c.Args[0] = "clearspan"
		c.Env = append(os.Environ(), readerVariable+"=1")
		c.Dir = "/"
		c.ExtraFiles = []*os.File{data}
		c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := w.start(c); err != nil {
			return err
		}
		c.Wait() // why it ended does not matter
		if w.ended() {
			return nil
		}
		if time.Since(began) < short {
			time.Sleep(pause) // it does not even start
		}
		if err := unix.Sendmsg(dataFD, []byte{kindEnded}, nil, nil, unix.MSG_NOSIGNAL); err != nil {
			return fmt.Errorf("tell of the end of a reader: %w", err)
		}
	}
}

func (w *warden) start(c *exec.Cmd) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ending {
		return io.EOF
	}
	if err := c.Start(); err != nil {
		return err
	}
	w.process = c.Process
	return nil
}

// ended notes the end of a reader, and reports whether no other is to come.
func (w *warden) ended() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.process = nil
	w.number++
	return w.ending
}

// listen kills readers that it is told to, and the last one when the recorder is gone.
func (w *warden) listen() {
	order := make([]byte, 4)
	for {
		n, err := unix.Read(controlFD, order)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		w.mu.Lock()
		w.ending = n != len(order)
		if w.process != nil && (w.ending || binary.BigEndian.Uint32(order) == w.number) {
			w.process.Kill()
		}
		ending := w.ending
		w.mu.Unlock()
		if ending {
			return
		}
	}
}
