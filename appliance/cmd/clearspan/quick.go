package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/here"
)

// mover reads the configuration of a start without a file. Addresses that no flag names
// fall to the next free port if another process has them. Each later reading has the same
// addresses.
type mover struct {
	quick config.Quick
	log   *slog.Logger
	moved map[string]string // from and to; nil: not known yet
}

// remember has later readings be as text, which a program before this one read.
func (m *mover) remember(text []byte) {
	if m.moved == nil {
		json.Unmarshal(text, &m.moved) // what parse has understood
	}
}

// read returns which addresses were replaced, as JSON.
func (m *mover) read() ([]byte, error) {
	cfg, err := m.quick.Config(config.Starter, os.Getenv)
	if err != nil {
		return nil, badConfig(err)
	}
	if m.moved == nil {
		m.moved = make(map[string]string)
		if pid, runs := running(cfg.State); runs {
			return nil, &exitError{exitRuntime, fmt.Errorf("clearspan runs already (pid %s) with state directory %s: end it, or start another one with --state DIR", pid, cfg.State)}
		}
		move(m.quick, cfg, m.moved, m.log)
	}
	return json.Marshal(m.moved)
}

// running reports whether a process runs with a state directory, and its number. A process
// that was killed leaves its file behind, but not its lock.
func running(state string) (pid string, runs bool) {
	f, err := os.Open(pidFile(state))
	if err != nil {
		return "", false
	}
	defer f.Close()
	if free, err := lock(f, syscall.LOCK_SH); err != nil || free {
		return "", false
	}
	number, err := io.ReadAll(io.LimitReader(f, 16))
	return strings.TrimSpace(string(number)), err == nil
}

// move finds other ports for addresses that are taken.
func move(quick config.Quick, cfg *config.Config, moved map[string]string, log *slog.Logger) {
	used := make(map[string]bool)
	for _, l := range here.Listeners(cfg) {
		used[l.Address] = true
	}
	for _, address := range quick.Movable(cfg) {
		from := *address
		if from == "" || !errors.Is(here.Free(from), syscall.EADDRINUSE) {
			continue
		}
		if to := nextFree(from, used); to != "" {
			moved[from], used[to] = to, true
			log.Warn("address in use, another one is taken", "listen", from, "by", here.Owner(from), "instead", to)
		}
	}
}

// nextFree returns the address with the next port that is free and that browsers open; ""
// if there is none near.
func nextFree(address string, used map[string]bool) string {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return ""
	}
	for n := port + 1; n <= port+100 && n <= 65535; n++ {
		next := net.JoinHostPort(host, strconv.FormatUint(n, 10))
		if !used[next] && config.SafePort(uint16(n)) && here.Free(next) == nil {
			return next
		}
	}
	return ""
}

// remedy returns why an appliance did not start: faults of its configuration if it has
// any, else err with a way out.
func remedy(file string, cfg *config.Config, err error) error {
	if bad := checkConfig(file, cfg); bad != nil {
		return badConfig(bad)
	}
	return here.Remedy(cfg, file, err)
}
