package lab

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/hack/netlab"
)

// Impairment is what a bad line does to frames, each with a probability from 0 to
// 1. Frames that are late are overtaken by those behind them.
type Impairment struct {
	Loss, Repetition float64 // in both directions
	Lateness         float64 // of frames that leave
}

// Offsets in the kernel's struct __sk_buff.
const (
	skbMark  = 8
	skbIndex = 40
)

const (
	again    = 0x7777 // mark of frames that were repeated or late: they pass
	lateness = time.Millisecond
	detour   = "late0" // where late frames go
	detained = "late1" // where they arrive and wait
)

// Impair has an interface be the end of a bad line, and carry frames of its MTU
// with complete checksums only. Only one interface of a namespace can have late
// frames. It ends with the lab.
func Impair(l *netlab.Lab, ns *netlab.Namespace, ifname string, i Impairment) error {
	if err := ns.SetOffload(ifname, false, netlab.TXChecksum, netlab.TSO, netlab.GSO); err != nil {
		return err
	}
	late := 0
	if i.Lateness > 0 {
		var err error
		if late, err = delay(l, ns, ifname); err != nil {
			return fmt.Errorf("impair %s: %w", ifname, err)
		}
	}
	return errors.Join(
		attach(l, ns, ifname, ebpf.AttachTCXEgress, i.program(0, late)),
		attach(l, ns, ifname, ebpf.AttachTCXIngress, Impairment{Loss: i.Loss, Repetition: i.Repetition}.program(1, 0)))
}

// delay returns the index of an interface: frames sent there leave by ifname a
// little later.
func delay(l *netlab.Lab, ns *netlab.Namespace, ifname string) (int, error) {
	err := l.Link(netlab.End{Namespace: ns, Name: detour, Silent: true}, netlab.End{Namespace: ns, Name: detained, Silent: true}, netlab.LinkOptions{})
	if err != nil {
		return 0, err
	}
	// What is read at the other end has sums that are complete.
	if err := ns.SetOffload(detour, false, netlab.TXChecksum, netlab.TSO, netlab.GSO); err != nil {
		return 0, err
	}
	in, err := packetSocket(l, ns, detained, unix.ETH_P_ALL)
	if err != nil {
		return 0, err
	}
	out, err := packetSocket(l, ns, ifname, 0)
	if err != nil {
		return 0, err
	}
	if err := unix.SetsockoptInt(out, unix.SOL_SOCKET, unix.SO_MARK, again); err != nil {
		return 0, err
	}
	link, err := ns.Interface(detour)
	if err != nil {
		return 0, err
	}
	stop, done := make(chan struct{}), make(chan struct{})
	l.OnClose(func() error {
		close(stop)
		<-done
		return nil
	})
	go func() {
		defer close(done)
		frame := make([]byte, 65536)
		for {
			select {
			case <-stop:
				return
			default:
			}
			n, err := unix.Read(in, frame) // for 100 ms at most
			if err == nil {
				time.Sleep(lateness)
				_, _ = unix.Write(out, frame[:n]) // a frame that cannot leave is lost
			}
		}
	}()
	return link.Index, nil
}

// packetSocket opens a packet socket on an interface, closed with the lab.
func packetSocket(l *netlab.Lab, ns *netlab.Namespace, ifname string, protocol uint16) (fd int, err error) {
	link, err := ns.Interface(ifname)
	if err != nil {
		return -1, err
	}
	err = ns.Do(func() error {
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		l.OnClose(func() error { return unix.Close(fd) })
		return errors.Join(
			unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}),
			unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol<<8 | protocol>>8, Ifindex: link.Index}))
	})
	return fd, err
}

// program impairs frames where it is attached; flags are those of a redirect to
// the same hook, late is where late ones go.
func (i Impairment) program(flags int32, late int) asm.Instructions {
	share := func(p float64) int32 { return int32(p * (1 << 30)) }
	dice := func() asm.Instructions { // R0 below share(p) with probability p
		return asm.Instructions{asm.FnGetPrandomU32.Call(), asm.And.Imm(asm.R0, 1<<30-1)}
	}
	code := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R2, asm.R6, skbMark, asm.Word),
		asm.JEq.Imm(asm.R2, again, "pass"),
	}
	code = append(append(code, dice()...), asm.JLT.Imm(asm.R0, share(i.Loss), "drop"))
	if i.Lateness > 0 {
		code = append(append(code, dice()...),
			asm.JGE.Imm(asm.R0, share(i.Lateness), "in time"),
			asm.Mov.Imm(asm.R1, int32(late)),
			asm.Mov.Imm(asm.R2, 0),
			asm.FnRedirect.Call(),
			asm.Return(),
			asm.Mov.Imm(asm.R0, 0).WithSymbol("in time"))
	}
	return append(append(code, dice()...),
		asm.JGE.Imm(asm.R0, share(i.Repetition), "pass"),
		asm.Mov.Imm(asm.R2, again),
		asm.StoreMem(asm.R6, skbMark, asm.R2, asm.Word),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.LoadMem(asm.R2, asm.R6, skbIndex, asm.Word),
		asm.Mov.Imm(asm.R3, flags),
		asm.FnCloneRedirect.Call(),
		asm.Mov.Imm(asm.R0, framePasses).WithSymbol("pass"),
		asm.Return(),
		asm.Mov.Imm(asm.R0, frameDrops).WithSymbol("drop"),
		asm.Return(),
	)
}
