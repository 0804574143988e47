package lab

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/clearspan/clearspan/hack/netlab"
)

// What programs at an interface answer: go on, or drop.
const (
	framePasses = 0
	frameDrops  = 2
)

// Tag makes an interface one end of a VLAN: frames leave with an 802.1Q tag and
// lose theirs when they come in. It is for kernels without VLAN devices. It ends
// with the lab.
func Tag(l *netlab.Lab, ns *netlab.Namespace, ifname string, id uint16) error {
	push := asm.Instructions{
		asm.LoadImm(asm.R2, 0x0081, asm.DWord), // 0x8100 in network order
		asm.LoadImm(asm.R3, int64(id), asm.DWord),
		asm.FnSkbVlanPush.Call(),
		asm.Mov.Imm(asm.R0, framePasses),
		asm.Return(),
	}
	pop := asm.Instructions{
		asm.FnSkbVlanPop.Call(),
		asm.Mov.Imm(asm.R0, framePasses),
		asm.Return(),
	}
	return errors.Join(
		attach(l, ns, ifname, ebpf.AttachTCXEgress, push),
		attach(l, ns, ifname, ebpf.AttachTCXIngress, pop))
}

// Impair has an interface lose and repeat frames that it sends, each with the
// given probability, 0 to 1. It ends with the lab.
func Impair(l *netlab.Lab, ns *netlab.Namespace, ifname string, loss, repetition float64) error {
	const again = 0x7777 // mark of a repeated frame
	const offsetMark, offsetIndex = 8, 40
	share := func(p float64) int32 { return int32(p * (1 << 30)) }
	return attach(l, ns, ifname, ebpf.AttachTCXEgress, asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R2, asm.R6, offsetMark, asm.Word),
		asm.JEq.Imm(asm.R2, again, "pass"),
		asm.FnGetPrandomU32.Call(),
		asm.And.Imm(asm.R0, 1<<30-1),
		asm.JLT.Imm(asm.R0, share(loss), "drop"),
		asm.FnGetPrandomU32.Call(),
		asm.And.Imm(asm.R0, 1<<30-1),
		asm.JGE.Imm(asm.R0, share(repetition), "pass"),
		asm.Mov.Imm(asm.R2, again),
		asm.StoreMem(asm.R6, offsetMark, asm.R2, asm.Word),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.LoadMem(asm.R2, asm.R6, offsetIndex, asm.Word),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnCloneRedirect.Call(),
		asm.Mov.Imm(asm.R0, framePasses).WithSymbol("pass"),
		asm.Return(),
		asm.Mov.Imm(asm.R0, frameDrops).WithSymbol("drop"),
		asm.Return(),
	})
}

// attach loads a program and runs it for frames of an interface, until the lab
// is closed.
func attach(l *netlab.Lab, ns *netlab.Namespace, ifname string, at ebpf.AttachType, code asm.Instructions) error {
	iface, err := ns.Interface(ifname)
	if err != nil {
		return err
	}
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, Instructions: code, License: "GPL"})
	if err != nil {
		return fmt.Errorf("load program for %s: %w", ifname, err)
	}
	defer program.Close()
	return ns.Do(func() error {
		hook, err := link.AttachTCX(link.TCXOptions{Interface: iface.Index, Program: program, Attach: at})
		if err != nil {
			return fmt.Errorf("attach program to %s: %w", ifname, err)
		}
		l.OnClose(hook.Close)
		return nil
	})
}
