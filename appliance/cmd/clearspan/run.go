package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/clearspan/clearspan/appliance"
	"github.com/clearspan/clearspan/appliance/config"
)

func runCommand() *cobra.Command {
	var file, level, profile string
	var drain time.Duration
	var quick config.Quick
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the appliance in the foreground",
		Long: `Run the appliance in the foreground.

Without -c and flags: an explicit proxy on 127.0.0.1:8080 (HTTP CONNECT, plain
HTTP, SOCKS5), an authority of its own in STATE/authority, captures in STATE/pcap,
a live feed on 127.0.0.1:57012 (nc 127.0.0.1 57012 | tcpdump -nr -), health and
metrics on 127.0.0.1:8090. No root needed. Through the proxy,
http://clearspan.internal/ tells clients how to trust the authority. STATE is ~/.local/state/clearspan, or
/var/lib/clearspan for root.

Once everything is open, all capabilities that the intakes and mirrors do not need
are dropped. A key that is encrypted is opened by authority.passphrase_file, the
systemd credential authority-passphrase, or a passphrase typed on the terminal.

SIGHUP reloads the file and the authorities; a bad file changes nothing. SIGTERM and SIGINT drain, a
second one ends at once.`,
		Example: `  clearspan run
  clearspan run -c /etc/clearspan.yaml
  clearspan run --static 127.0.0.1:10443,192.0.2.10:443 --pcap ./captures`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file != "" && quick.Set() {
				return badConfig(fmt.Errorf("-c and the flags for quick use exclude each other"))
			}
			log, err := newLogger(level)
			if err != nil {
				return badConfig(err)
			}
			load := func() (*config.Config, error) { return loadConfig(file, quick) }
			finish, err := startProfile(profile)
			if err != nil {
				return err
			}
			return errors.Join(run(load, file, log, drain), finish())
		},
	}
	f := cmd.Flags()
	f.StringVarP(&file, "config", "c", "", "configuration `FILE`")
	f.StringVar(&quick.Listen, "listen", "", "explicit proxy on `ADDR`")
	f.StringArrayVar(&quick.Static, "static", nil, "`LISTEN,ORIGIN`: everything that comes to LISTEN goes to ORIGIN; repeatable")
	f.StringVar(&quick.PCAP, "pcap", "", "write pcapng files into `DIR`")
	f.StringVar(&quick.Interface, "interface", "", "mirror onto network interface `IF` (needs CAP_NET_RAW)")
	f.StringVar(&quick.PCAPOverIP, "pcap-over-ip", "", "serve the live feed on `ADDR`")
	f.StringVar(&quick.State, "state", "", "state `DIR`")
	f.StringVar(&level, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&profile, "profile", "", "write a CPU profile (pprof) of the run into `FILE`")
	f.DurationVar(&drain, "drain", 30*time.Second, "how long open sessions may go on after SIGTERM")
	return cmd
}

func loadConfig(file string, quick config.Quick) (*config.Config, error) {
	if file != "" {
		return config.Load(file)
	}
	return quick.Config(os.Geteuid(), os.Getenv)
}

func run(load func() (*config.Config, error), file string, log *slog.Logger, drain time.Duration) error {
	cfg, err := load()
	if err != nil {
		return badConfig(err)
	}
	if err := appliance.Harden(); err != nil {
		return err
	}
	// Never given back: a signal that comes while the process ends must not
	// change its exit code.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)

	a, err := appliance.New(cfg, version, log, appliance.WithPrompt(prompt("Passphrase of the authority's key: ")))
	if err != nil {
		return err
	}
	remove, err := writePID(cfg.State)
	if err != nil {
		a.Close()
		return err
	}
	defer remove()
	left, err := appliance.Confine(cfg, file)
	if err != nil {
		a.Close()
		return err
	}
	log.Info("privileges dropped", "kept", left)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		for s := range signals {
			switch {
			case s == syscall.SIGHUP:
				reload(a, load, log)
			case ctx.Err() == nil:
				log.Info("stopping", "signal", s.String())
				stop()
			default:
				a.Kill()
			}
		}
	}()
	return a.Run(ctx, drain)
}

func reload(a *appliance.Appliance, load func() (*config.Config, error), log *slog.Logger) {
	cfg, err := load()
	if err == nil {
		err = a.Reload(cfg)
	}
	if err != nil {
		log.Error("configuration unchanged", "err", err)
	}
}

// newLogger writes text on a terminal, JSON elsewhere.
func newLogger(level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(strings.ToUpper(level))); err != nil {
		return nil, fmt.Errorf("--log-level: unknown level %q, want debug, info, warn or error", level)
	}
	opts := &slog.HandlerOptions{Level: l}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		return slog.New(slog.NewTextHandler(os.Stderr, opts)), nil
	}
	return slog.New(slog.NewJSONHandler(os.Stderr, opts)), nil
}
