// Package privilege bounds what the process may do once everything is open. A
// process that parses what strangers send is not to be root: whoever took it over
// would have the machine.
//
// [Confine] goes down in this order, for every thread and for good:
//
//   - the user: a process that was started as root becomes another one (credentials(7)),
//     and its state directory with it;
//   - capabilities(7): those of [Rights.Keep] stay, the bounding set goes, no program
//     that is run gets new ones (no_new_privs);
//   - landlock(7): only the files of [Rights] can be opened; signals and abstract
//     sockets of other processes are out of reach;
//   - seccomp(2): only the system calls of the list in calls_linux.go are answered.
//
// What the kernel does not have is left out and said in [Left]: a box that does not
// start is no safer box. A user that the configuration names is not left out.
package privilege
