package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/retain"
)

// retainHelp explains the flag. It is a part of long help texts.
const retainHelp = `--retain says how long a class is kept, and how many octets of it at most, such as
packets=30d,500GiB. The classes are packets, received and sent (contents by which way
they went), mail (messages and what is in them) and trail. The oldest goes first.`

// readRetain reads the bounds of classes.
func readRetain(texts []string) (p retain.Policy, err error) {
	limits := map[string]*retain.Limit{
		string(retain.Packets): &p.Packets, string(retain.Received): &p.Received, string(retain.Sent): &p.Sent, string(retain.Mail): &p.Mail, string(retain.Trail): &p.Trail,
	}
	for _, text := range texts {
		class, bounds, _ := strings.Cut(text, "=")
		l := limits[class]
		if l == nil {
			return p, badConfig(fmt.Errorf("--retain %s: want packets, received, sent, mail or trail, = and an age or a size", text))
		}
		for _, bound := range strings.Split(bounds, ",") {
			age, noAge := retain.ParseAge(bound)
			size, noSize := config.ParseSize(bound)
			switch {
			case noAge == nil:
				l.Age = age
			case noSize == nil && size > 0:
				l.Size = int64(size)
			default:
				return p, badConfig(fmt.Errorf("--retain %s: %q is neither an age such as 30d nor a size such as 500GiB", text, bound))
			}
		}
	}
	return p, nil
}

// showKept prints what is kept of each class, and how the disk is.
func showKept(w io.Writer, s *recorder.Status) {
	for _, k := range s.Kept {
		if k.Count == 0 {
			continue
		}
		unit := "objects"
		switch k.Class {
		case retain.Packets:
			continue // it has a line
		case retain.Trail:
			unit = "days"
		}
		fmt.Fprintf(w, "%-10s %d MiB in %d %s, since %s\n", k.Class, k.Octets>>20, k.Count, unit, k.Oldest.Local().Format(time.DateTime))
	}
	d := &s.Disk
	if d.Octets == 0 {
		return
	}
	state := ""
	switch {
	case d.Stopped != "":
		state = ", too little: these are not kept: " + visible(d.Stopped)
	case d.Days > 0:
		state = fmt.Sprintf(", enough for %.1f days at today's rate", d.Days)
	case d.Holds:
		state = ", enough: the bounds hold what is kept"
	}
	fmt.Fprintf(w, "disk       %d GiB of %d GiB free%s\n", d.Free>>30, d.Octets>>30, state)
}
