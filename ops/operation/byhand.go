package operation

import "binnacle/ops/command"

// byHand is a command as a person types it to reach this very destination.
func (s *story) byHand(words string) string { return command.ByHand(s.cfg, words) }

// Private

func (s *story) aim(file string) []string { return command.Aim(s.cfg, file) }

func (s *story) shownFile() string { return command.ShownFile(s.cfg) }
