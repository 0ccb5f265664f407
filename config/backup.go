package config

import (
	"time"
)

// Engine is the kind of data that a backup is of.
type Engine string

// The engines.
const (
	Postgres Engine = "postgres"
	MySQL    Engine = "mysql" // MariaDB and Percona too
	Redis    Engine = "redis" // Valkey too
	SQLite   Engine = "sqlite"
	Volume   Engine = "volume" // a folder of a container: a volume, a mounted directory
)

// Backup is one thing to back up: a database or a folder in a container on one
// host. It is found from an accessory's image, from DATABASE_URL, or named under
// backups: of x-binnacle, which also settles what is not found.
type Backup struct {
	Name      string // of the accessory unless x-binnacle names it; with -HOST where it runs on several
	Engine    Engine
	Accessory string // whose container holds it; "" when it is a role's
	Role      string // whose container holds it, or reaches it by URL; "" when it is an accessory's
	Host      string
	// Database is its name; for sqlite and volume the path in the container; ""
	// for redis, and where the container's own environment tells it.
	Database string
	// URL names the variable of the container's environment that holds the address
	// of a server elsewhere, such as DATABASE_URL; "" for a server in the container.
	URL      string
	Store    Store
	Schedule string // cron's five fields, or ""
	Retain   Retain
	Encrypt  Encryption
	Check    BackupCheck
	Pause    bool   // a volume's container stands still while it is read
	Found    string // what tells of it, for people: "image postgres:16", "x-binnacle"
}

// Store says where backups are kept.
type Store struct {
	Name string
	Type StoreType
	// Path is the folder of a local store, as a full path or "" for the program's own
	// data folder; that of one on an SSH host, from the login home unless it begins
	// with /; and the prefix in a bucket, without slashes around it.
	Path string
	// Host, User and Port of an SSH store; ssh_config completes them.
	Host string
	User string
	Port int
	// Bucket and the rest are of an S3-compatible service. Endpoint "" is AWS's own.
	Bucket    string
	Endpoint  string
	Region    string
	PathStyle bool
	SSE       string // "", AES256 or aws:kms
	KMSKey    string // with aws:kms
	Profile   string // in the AWS files
	// AccessKey and SecretKey name secrets of .kamal/secrets; "" leaves the
	// credentials to the environment and the AWS files.
	AccessKey string
	SecretKey string
}

// StoreType is the kind of a store.
type StoreType string

// The kinds of stores.
const (
	LocalStore StoreType = "local"
	S3Store    StoreType = "s3"
	SSHStore   StoreType = "ssh"
)

// Retain says how many backups stay; all zero keeps everything.
type Retain struct {
	Last, Daily, Weekly, Monthly int
}

// Encryption is to whom backups are encrypted, and by what they are read again.
type Encryption struct {
	Recipients []string // age1… or SSH public keys; none: not encrypted
	// Identity is the full path of a file with an age identity or an SSH private key;
	// IdentitySecret the name of a secret that holds one.
	Identity       string
	IdentitySecret string
}

// BackupCheck is when a backup is trusted.
type BackupCheck struct {
	MaxAge time.Duration // older than that, the absence of a newer one is an alarm; 26 h unless set
	Drill  time.Duration // the same for a drill; 30 days unless set
	// SQL is run on a restored copy: the check passes when it succeeds, and when
	// the first column of the first row, if there is any, is neither f, false nor 0.
	SQL string
}

// Migrate is how the app's schema is migrated. Without a command it is as Rails does
// it; with one, Status and Rollback are "" unless they are set too.
type Migrate struct {
	Command  string        // bin/rails db:migrate
	Status   string        // bin/rails db:migrate:status
	Rollback string        // bin/rails db:rollback STEP=%d; %d is the number of steps
	Role     string        // the primary role unless set; "" when there are only accessories
	Timeout  time.Duration // 30 min unless set
	// LockTimeout is given to the database session: a migration that waits longer
	// for a lock of the database fails. 30 s unless set; 0 leaves it.
	LockTimeout    time.Duration
	LockTimeoutSet bool // it is in the file
	// BackupWithin is how old the newest good backup of the database may be; 0
	// asks for none.
	BackupWithin time.Duration
	// Backup names the backup that the gate looks at; "" where there is one
	// database only.
	Backup string
	// Assumed says that nothing is configured: the app is taken to be Rails.
	Assumed bool
}
