package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/privilege"
	"github.com/clearspan/clearspan/appliance/recorder"
)

func recorderRunCommand() *cobra.Command {
	var c recorder.Config
	var packets, level, file string
	var rules ruleFlags
	var sources portFlags
	var lists listFlags
	var kept []string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Record what comes from interfaces, feeds and directories",
		Long: `Record what comes from network interfaces (the recorder's port of clearspan or of a
switch), from pcap-over-IP feeds of any product, and from captures that are put into
a directory. Packets are kept first, and analysed behind: a busy hour makes the
analysis late, and nothing is lost by that. "recorder search" finds what was
recorded, "recorder status" says how it goes.

Interfaces need CAP_NET_RAW. The process gives up root and all rights but its
directories once everything is open. SIGTERM ends it, when all packets are analysed.

An alert is sent when a client sends personal or confidential data: by mail, as JSON
in a POST, or by syslog. The first one of a kind and client is sent at once, others together after
10 minutes. What is not taken is sent again for three days.

` + ruleHelp + `

` + retainHelp + `

Captures in a directory are read when they have not changed for 2 seconds, and
renamed to NAME.done. With --incoming - it records the capture that another program
writes to it, and ends with that.

--rings has several threads read each interface, --ring gives them more memory for
bursts, and --filter keeps frames away, such as those of a backup. Filters are those of
tcpdump, with numbers for hosts and ports: "not port 9999", "net 10.0.0.0/8 and tcp".

Exit status: 0 it was ended, 1 bad command line, 2 it could not go on.`,
		Example: `  clearspan recorder run --directory /var/lib/clearspan/recorder --interface mirror0
  clearspan recorder run --directory rec --connect 127.0.0.1:57012
  clearspan recorder run --directory rec --incoming captures`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file != "" {
				return runFile(cmd, file, level)
			}
			if c.Directory == "" {
				return badConfig(errors.New("want --directory, or -c with a file that has a section recorder"))
			}
			if err := sources.apply(&c, cmd.InOrStdin()); err != nil {
				return badConfig(err)
			}
			if len(c.Interfaces)+len(c.Feeds)+len(c.Incoming) == 0 && c.Input == nil {
				return badConfig(errors.New("there is no source: --interface, --connect or --incoming"))
			}
			size, err := config.ParseSize(packets)
			if err != nil {
				return badConfig(fmt.Errorf("--packets: %w", err))
			}
			if c.Retain, err = readRetain(kept); err != nil {
				return err
			}
			if c.Retain.Packets.Size == 0 {
				c.Retain.Packets.Size = int64(size)
			}
			if err := c.Encrypt.Check(); err != nil {
				return badConfig(err)
			}
			if c.Rules, err = rules.read(); err != nil {
				return err
			}
			c.Inside = rules.inside
			if c.Log, err = newLogger(level); err != nil {
				return badConfig(err)
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			context.AfterFunc(ctx, stop) // a second signal ends at once
			if c.Inspect, err = lists.load(ctx); err != nil {
				return err
			}
			return runRecorder(ctx, c)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&c.Directory, "directory", "d", "", "keep everything in `DIR`")
	f.StringVar(&c.Trail, "trail", "", trailUsage)
	sources.add(f)
	f.StringArrayVar(&c.Feeds, "connect", nil, "read the pcap-over-IP feed at `ADDR:PORT` (may be repeated)")
	f.StringArrayVar(&c.Incoming, "incoming", nil, "read the captures that are put into `DIR` (may be repeated), or the one from standard input: -")
	f.StringArrayVar(&c.Alerts, "alert", nil, "tell `[NAME=]ADDRESS` of findings: smtp://HOST/?to=ADDR, https://... or syslog+tls://HOST (may be repeated)")
	f.StringVar(&packets, "packets", "10GiB", "keep so many octets of packets at most: `SIZE`")
	f.StringArrayVar(&kept, "retain", nil, "keep a class so long, and so much of it: `BOUND` is CLASS=AGE,SIZE (may be repeated)")
	f.StringArrayVar(&c.Encrypt.To, "encrypt-to", nil, encryptUsage)
	f.StringVar(&c.Timestamp, "timestamp", "", "have signatures stamped by the time-stamping authority at `URL` (RFC 3161)")
	f.StringVar(&c.API, "api", "", "answer questions over HTTP at `ADDRESS`: unix:PATH, or a loopback ADDR:PORT")
	f.StringVar(&c.User, "user", "", "become `USER`, if started as root")
	f.StringVarP(&file, "config", "c", "", "what section recorder of the configuration `FILE` says, in place of flags")
	f.StringVar(&level, "log", "info", "log `LEVEL`: debug, info, warn or error")
	rules.add(f)
	lists.add(f)
	f.BoolVar(&c.Received, "received", false, receivedUsage)
	f.BoolVar(&c.Passwords, "passwords", false, passwordsUsage)
	return cmd
}

// runFile runs the recorder of a configuration file.
func runFile(cmd *cobra.Command, file, level string) error {
	for _, name := range []string{"directory", "trail", "interface", "rings", "ring", "filter", "connect", "incoming", "alert", "packets", "retain", "user", "encrypt-to", "api", "timestamp"} {
		if cmd.Flags().Changed(name) {
			return badConfig(fmt.Errorf("-c and --%s exclude each other: write the value into the file", name))
		}
	}
	cfg, err := config.Load(file)
	if err != nil {
		return badConfig(err)
	}
	log, err := newLogger(level)
	if err != nil {
		return badConfig(err)
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends at once
	return runSection(ctx, cfg, nil, log, false)
}

// runRecorder opens a recorder, gives up what it does not need, and runs it.
func runRecorder(ctx context.Context, c recorder.Config) error {
	if err := privilege.Harden(); err != nil {
		return err
	}
	c.Extractor = extractorCommand
	r, err := recorder.New(c)
	if err != nil {
		return err
	}
	answering, err := listenAPI(c, r)
	if err != nil {
		return errors.Join(err, r.Close())
	}
	left, err := r.Confine()
	if err != nil {
		return errors.Join(err, answering.close(), r.Close())
	}
	for _, lack := range left.Lacks {
		c.Log.Warn("privileges kept", "err", lack)
	}
	c.Log.Info("recording", "directory", c.Directory, "user", left.User)
	err = errors.Join(answering.during(ctx, r.Run), r.Close())
	if err == nil {
		c.Log.Info("ended")
	}
	return err
}

func recorderStatusCommand() *cobra.Command {
	var dir string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what a recorder does",
		Long: `Show what a recorder does: how many frames came, were stored, dropped and analysed,
how late the analysis is, what is kept of each class, and for how many days the disk
is enough at the rate of the last 24 hours.

Frames that came = stored + refused by the file system. Frames that the kernel had no room
for are counted beside.

Exit status: 0 it records, 1 it has ended, loses frames or the disk is too full, 2 there
is no recorder.`,
		Example: "  clearspan recorder status --directory rec",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := recorder.ReadStatus(dir)
			if err != nil {
				return err
			}
			if err := showRecorder(cmd.OutOrStdout(), &s, asJSON); err != nil {
				return err
			}
			if s.PID == 0 || time.Since(s.Time) > 10*time.Second || s.Refused+s.Dropped > 0 || s.Disk.Stopped != "" {
				return &exitError{exitConfig, errSilent}
			}
			return nil
		},
	}
	f := cmd.Flags()
	directoryFlag(cmd, &dir)
	f.BoolVar(&asJSON, "json", false, "one JSON object")
	return cmd
}

func showRecorder(w io.Writer, s *recorder.Status, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(s)
	}
	state := fmt.Sprintf("records, process %d", s.PID)
	switch {
	case s.PID == 0:
		state = "has ended"
	case time.Since(s.Time) > 10*time.Second:
		state = "does not answer since " + s.Time.Local().Format(time.DateTime)
	}
	fmt.Fprintf(w, "recorder   %s\n", state)
	fmt.Fprintf(w, "frames     %d came, %d stored, %d refused by the disk, %d dropped by the kernel\n", s.Frames, s.Stored, s.Refused, s.Dropped)
	fmt.Fprintf(w, "analysis   %d frames, %.1f s behind the newest\n", s.Analysed, s.Lag)
	fmt.Fprintf(w, "found      %d sessions, %d events, %d files and bodies, %d findings\n", s.Sessions, s.Events, s.Objects, s.Findings)
	fmt.Fprintf(w, "packets    %d MiB in %d volumes\n", s.Packets>>20, s.Volumes)
	if s.Unread > 0 {
		fmt.Fprintf(w, "unread     %d volumes are encrypted, and were not analysed before their key was lost\n", s.Unread)
	}
	showKept(w, s)
	if s.Stamped != nil {
		fmt.Fprintf(w, "stamped    %s\n", s.Stamped.Local().Format(time.DateTime))
	}
	if s.StampErr != "" {
		fmt.Fprintf(w, "stamped    not now: %s\n", visible(s.StampErr))
	}
	if s.Waiting > 0 {
		fmt.Fprintf(w, "trail      %d batches wait for the server: %s\n", s.Waiting, visible(s.LastError))
	}
	for _, one := range s.Sources {
		fmt.Fprintf(w, "source     %s: %d frames, %d dropped", visible(one.Name), one.Frames, one.Dropped)
		if one.Filtered > 0 {
			fmt.Fprintf(w, ", %d filtered", one.Filtered)
		}
		fmt.Fprintln(w)
	}
	return nil
}
