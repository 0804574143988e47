package main

import (
	"context"
	"errors"
	"fmt"
	"github.com/clearspan/clearspan/appliance/keeper"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/control"
	"github.com/clearspan/clearspan/appliance/control/client"
)

// box is a running appliance, as flags name it.
type box struct{ file, state string }

// flags adds the flags that name a box.
func (b *box) flags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVarP(&b.file, "config", "c", "", "configuration `FILE` of the running appliance")
	f.StringVar(&b.state, "state", "", "its state `DIR`, if it runs without a file")
	if cmd.Args != nil {
		cmd.Args = cobra.MatchAll(cmd.Args, excludes("state", "config"))
	}
}

// states returns the state directories that the box may have, the likeliest first. A box
// that root started is everybody's to ask who may.
func (b *box) states() ([]string, error) {
	state := b.state
	if b.file != "" {
		var err error
		if state, err = config.StateOf(b.file); err != nil {
			return nil, badConfig(err)
		}
	}
	if state == "" || state == config.DefaultState() {
		return slices.Compact([]string{config.DefaultState(), control.DefaultState}), nil
	}
	return []string{state}, nil
}

// open finds the running box.
func (b *box) open() (*client.Client, error) {
	states, err := b.states()
	if err != nil {
		return nil, err
	}
	var first error
	for _, state := range states {
		c, err := client.Open(state)
		if err == nil {
			return c, nil
		}
		if first == nil || !errors.Is(err, client.ErrNotRunning) {
			first = err
		}
	}
	if b.file != "" && errors.Is(first, client.ErrNotRunning) {
		if c := byFile(b.file); c != nil {
			return c, nil
		}
	}
	return nil, first
}

// ask calls f with a client of the running box.
func (b *box) ask(cmd *cobra.Command, f func(context.Context, *client.Client) error) error {
	if why := b.failed(); why != "" {
		return fmt.Errorf("clearspan is down: %s", why)
	}
	c, err := b.open()
	if err != nil {
		return err
	}
	defer c.Close()
	return f(cmd.Context(), c)
}

// keeperWithin bounds how long the keeper may take to answer.
const keeperWithin = 2 * time.Second

// failed says why a box runs without a process that serves: they die. It returns "" if that
// is not so, or not this user's to know.
func (b *box) failed() string {
	states, err := b.states()
	if err != nil {
		return ""
	}
	for _, state := range states {
		reply, err := keeper.Send(state, keeper.Order{Do: "status"}, keeperWithin)
		if err == nil && reply.Status != nil && reply.Status.Failed {
			return fmt.Sprintf("the process that serves sessions died %d times within a minute, and is started again every 10 seconds; the log says why", reply.Status.Deaths)
		}
	}
	return ""
}

// samePath reports whether two paths name one file.
func samePath(a, b string) bool {
	if x, err := filepath.Abs(a); err == nil && x == b {
		return true
	}
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
