package config

// Logging is the log driver of containers.
type Logging struct {
	// Driver is the name of the driver, or "".
	Driver string
	// Options are the --log-opt pairs in order.
	Options Pairs
}

// Default tells that neither driver nor options are set, so that Kamal's own
// --log-opt max-size=10m applies.
func (l Logging) Default() bool { return l.Driver == "" && len(l.Options) == 0 }

// Private

func newLogging(section Value) Logging {
	logging := Logging{Options: section.sub("options").Pairs()}
	if driver := section.sub("driver"); driver.Present() {
		logging.Driver = driver.String()
	}
	return logging
}
