package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/config"
)

func pidFile(state string) string { return filepath.Join(state, "clearspan.pid") }

// writePID leaves the process's number for the reload command. One state
// directory serves one process: the file is locked as long as that lives.
func writePID(state string) (remove func(), err error) {
	name := pidFile(state)
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create pid file: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("state directory %s is in use by another clearspan", state)
	}
	f.Truncate(0)
	fmt.Fprintln(f, os.Getpid())
	return func() {
		os.Remove(name)
		f.Close()
	}, nil
}

func reloadCommand() *cobra.Command {
	var file, state string
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have the running appliance read its configuration again",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(file, config.Quick{State: state})
			if err != nil {
				return badConfig(err)
			}
			b, err := os.ReadFile(pidFile(cfg.State))
			if err != nil {
				return fmt.Errorf("find the running appliance: %w", err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
			if err != nil || pid <= 1 {
				return fmt.Errorf("find the running appliance: %s holds no process number", pidFile(cfg.State))
			}
			if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
				return fmt.Errorf("signal process %d: %w", pid, err)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "configuration `FILE` of the running appliance")
	cmd.Flags().StringVar(&state, "state", "", "its state `DIR`, if it runs without a file")
	return cmd
}
