// Package notify tells the service manager how the process is, by the protocol of
// sd_notify(3): ready, reloading, stopping, a line of status, and that it works.
//
// It reads nothing from the manager, and knows nothing of what the process does.
package notify

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The variables of the environment by which a manager says where and how often it
// wants to be told.
const (
	variableSocket   = "NOTIFY_SOCKET"
	variableWatchdog = "WATCHDOG_USEC"
	variablePID      = "WATCHDOG_PID"
)

// sendWithin bounds a message: the manager may be too busy to take one.
const sendWithin = time.Second

// Manager is the service manager. A nil Manager is none: its methods do nothing. It
// is safe for concurrent use.
type Manager struct {
	address *net.UnixAddr
	watch   time.Duration

	mu     sync.Mutex
	conn   *net.UnixConn // nil: to be made again
	closed bool
}

// Open connects to the manager that the environment names, and takes its variables
// away, so that no child process speaks for this one. It returns nil if there is no
// manager. Open it before the process is confined.
func Open() (*Manager, error) {
	path, watch := os.Getenv(variableSocket), interval(os.Getenv(variableWatchdog), os.Getenv(variablePID))
	for _, name := range []string{variableSocket, variableWatchdog, variablePID} {
		os.Unsetenv(name)
	}
	if path == "" {
		return nil, nil
	}
	m := &Manager{address: &net.UnixAddr{Name: path, Net: "unixgram"}, watch: watch}
	if err := m.dial(); err != nil {
		return nil, err
	}
	return m, nil
}

// interval returns the time within which the manager wants a sign of life, 0 for none.
// pid names the process that it wants it from, if it is not empty.
func interval(usec, pid string) time.Duration {
	n, err := strconv.ParseInt(usec, 10, 64)
	if err != nil || n <= 0 || n > int64(time.Hour/time.Microsecond)*24 || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	return time.Duration(n) * time.Microsecond
}

// dial connects. A connection outlives the loss of rights to the socket's path.
func (m *Manager) dial() error {
	conn, err := net.DialUnix("unixgram", nil, m.address)
	if err != nil {
		return fmt.Errorf("connect to the service manager: %w", err)
	}
	m.conn = conn
	return nil
}

// Environ returns the variables that Open took away, for a program that takes the
// place of this process under the same number.
func (m *Manager) Environ() []string {
	if m == nil {
		return nil
	}
	list := []string{variableSocket + "=" + m.address.Name}
	if m.watch > 0 {
		list = append(list, fmt.Sprintf("%s=%d", variableWatchdog, m.watch.Microseconds()), fmt.Sprintf("%s=%d", variablePID, os.Getpid()))
	}
	return list
}

// Ready says that the service serves, after a start or a reload.
func (m *Manager) Ready(status string) error { return m.send("READY=1", "STATUS="+line(status)) }

// Reloading says that a reload began. [Manager.Ready] ends it, also one that failed.
func (m *Manager) Reloading(status string) error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return fmt.Errorf("read the clock: %w", err)
	}
	return m.send("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000), "STATUS="+line(status))
}

// Stopping says that the service ends, and that this may take as long as within: the
// manager kills it later, not sooner.
func (m *Manager) Stopping(within time.Duration, status string) error {
	return m.send("STOPPING=1", fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", within.Microseconds()), "STATUS="+line(status))
}

// Status shows a line of text, as systemctl status does.
func (m *Manager) Status(status string) error { return m.send("STATUS=" + line(status)) }

// MainPID says which process the service is.
func (m *Manager) MainPID(pid int) error { return m.send(fmt.Sprintf("MAINPID=%d", pid)) }

// Alive is a sign of life. See [Manager.Every].
func (m *Manager) Alive() error { return m.send("WATCHDOG=1") }

// Every returns how often to call [Manager.Alive]: a third of the time after which the
// manager takes the service for dead. 0: the manager does not want to know.
func (m *Manager) Every() time.Duration {
	if m == nil {
		return 0
	}
	return m.watch / 3
}

// Close ends the connection.
func (m *Manager) Close() error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return m.drop()
}

func (m *Manager) drop() (err error) {
	if m.conn != nil {
		err = m.conn.Close()
	}
	m.conn = nil
	return err
}

// send sends one message of these lines. A manager that began again has another
// socket at the same path, and is connected to once more.
func (m *Manager) send(lines ...string) error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return net.ErrClosed
	}
	message := []byte(strings.Join(lines, "\n"))
	err := m.write(message)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		m.drop()
		err = m.write(message)
	}
	if err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	return nil
}

func (m *Manager) write(message []byte) error {
	if m.conn == nil {
		if err := m.dial(); err != nil {
			return err
		}
	}
	if err := m.conn.SetWriteDeadline(time.Now().Add(sendWithin)); err != nil {
		return err
	}
	_, err := m.conn.Write(message)
	return err
}

// line makes one line of a text, of at most 200 octets.
func line(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "..."
	}
	return strings.ToValidUTF8(text, "?")
}
