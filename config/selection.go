package config

import (
	"fmt"
	"slices"
	"strings"
)

// Filter narrows a command to some hosts and roles. Hosts and Roles are patterns
// as File.fnmatch reads them (*, ?, [abc], {a,b}); empty means all.
type Filter struct {
	Hosts   []string
	Roles   []string
	Primary bool
}

// Selection is what a Filter leaves of a configuration, in Kamal's order.
type Selection struct {
	config        *Config
	specificHosts []string
	specificRoles []*Role
	roles         []*Role
	hosts         []string
	primaryHost   string
	primaryRole   *Role
}

// Select applies a filter. A pattern may match nothing as long as one does;
// otherwise the error has Kamal's words.
func (c *Config) Select(filter Filter) (*Selection, error) {
	s := &Selection{config: c}
	if len(filter.Roles) > 0 {
		names := matchAll(filter.Roles, roleNames(c.roles))
		if len(names) == 0 {
			return nil, fmt.Errorf("No --roles match for %s", strings.Join(filter.Roles, ",")) //nolint:staticcheck // Kamal's words
		}
		for _, name := range names {
			s.specificRoles = append(s.specificRoles, c.Role(name))
		}
	}
	patterns := filter.Hosts
	if filter.Primary {
		patterns = s.primaryPattern()
	}
	if len(patterns) > 0 {
		s.specificHosts = matchAll(patterns, c.AllHosts())
		if len(s.specificHosts) == 0 {
			return nil, fmt.Errorf("No --hosts match for %s", strings.Join(patterns, ",")) //nolint:staticcheck // Kamal's words
		}
	}
	s.resolve()
	return s, nil
}

// Only is the same selection narrowed to some of the configuration's hosts, as
// Kamal does when it walks groups of hosts.
func (s *Selection) Only(hosts ...string) *Selection {
	narrowed := &Selection{config: s.config, specificRoles: s.specificRoles, specificHosts: slices.Clone(hosts)}
	narrowed.resolve()
	return narrowed
}

// Roles are the selected roles, the primary role first.
func (s *Selection) Roles() []*Role { return slices.Clone(s.roles) }

// Hosts are the selected hosts, those of the primary role first.
func (s *Selection) Hosts() []string { return slices.Clone(s.hosts) }

// PrimaryHost is where single-host commands and the lock go; "" when only
// accessories are configured.
func (s *Selection) PrimaryHost() string { return s.primaryHost }

// PrimaryRole is the role whose first healthy host lets the others boot; nil when
// no role runs on the primary host.
func (s *Selection) PrimaryRole() *Role { return s.primaryRole }

// SpecificRoles are the roles that the filter named; nil without a role filter.
func (s *Selection) SpecificRoles() []*Role { return slices.Clone(s.specificRoles) }

// SpecificHosts are the hosts that the filter named; nil without a host filter.
func (s *Selection) SpecificHosts() []string { return slices.Clone(s.specificHosts) }

// AppHosts are the selected hosts that run roles.
func (s *Selection) AppHosts() []string {
	return s.sortPrimaryFirst(intersect(s.config.AppHosts(), s.specified()))
}

// ProxyHosts are the selected hosts that run kamal-proxy.
func (s *Selection) ProxyHosts() []string { return intersect(s.config.ProxyHosts(), s.specified()) }

// AccessoryHosts are the selected hosts that run accessories.
func (s *Selection) AccessoryHosts() []string {
	return intersect(s.config.AccessoryHosts(), s.specified())
}

// AccessoryHostsFor are the selected hosts of one accessory.
func (s *Selection) AccessoryHostsFor(a *Accessory) []string {
	return intersect(s.AccessoryHosts(), a.hosts)
}

// RolesOn are the selected roles of a host, the primary role first.
func (s *Selection) RolesOn(host string) []*Role {
	var roles []*Role
	for _, role := range s.roles {
		if role.RunsOn(host) {
			roles = append(roles, role)
		}
	}
	return roles
}

// Private

func (s *Selection) primaryPattern() []string {
	host := s.config.PrimaryHost()
	if len(s.specificRoles) > 0 {
		host = s.specificRoles[0].PrimaryHost()
	}
	if host == "" {
		return nil
	}
	return []string{host}
}

func (s *Selection) resolve() {
	candidates := s.specificRoles
	if candidates == nil {
		candidates = s.config.roles
	}
	hosts := s.specificHosts
	if hosts == nil {
		hosts = s.config.AllHosts()
	}
	for _, role := range candidates {
		if len(intersect(hosts, role.Hosts())) > 0 {
			s.roles = append(s.roles, role)
		}
	}
	s.hosts = s.specified()
	s.primaryHost = s.findPrimaryHost()
	s.primaryRole = s.primaryOrFirst(s.RolesOn(s.primaryHost))
	slices.SortStableFunc(s.roles, func(a, b *Role) int { return rank(a == s.primaryRole) - rank(b == s.primaryRole) })
	s.hosts = s.sortPrimaryFirst(s.hosts)
}

func (s *Selection) findPrimaryHost() string {
	if len(s.specificHosts) > 0 {
		return s.specificHosts[0]
	}
	if role := s.primaryOrFirst(s.specificRoles); role != nil && role.PrimaryHost() != "" {
		return role.PrimaryHost()
	}
	return s.config.PrimaryHost()
}

func (s *Selection) primaryOrFirst(roles []*Role) *Role {
	for _, role := range roles {
		if role.Primary() {
			return role
		}
	}
	if len(roles) == 0 {
		return nil
	}
	return roles[0]
}

func (s *Selection) specified() []string {
	hosts := s.specificHosts
	if hosts == nil {
		hosts = s.config.AllHosts()
	}
	var roleHosts []string
	for _, role := range s.specificRoles {
		roleHosts = append(roleHosts, role.Hosts()...)
	}
	if len(roleHosts) == 0 {
		return slices.Clone(hosts)
	}
	return intersect(hosts, roleHosts)
}

func (s *Selection) sortPrimaryFirst(hosts []string) []string {
	onPrimary := func(host string) bool { return s.primaryRole != nil && s.primaryRole.RunsOn(host) }
	slices.SortStableFunc(hosts, func(a, b string) int { return rank(onPrimary(a)) - rank(onPrimary(b)) })
	return hosts
}

// Helpers

func rank(first bool) int {
	if first {
		return 0
	}
	return 1
}

func roleNames(roles []*Role) []string {
	names := make([]string, len(roles))
	for i, role := range roles {
		names[i] = role.name
	}
	return names
}

// intersect keeps the order of a.
func intersect(a, b []string) []string {
	var both []string
	for _, item := range a {
		if slices.Contains(b, item) && !slices.Contains(both, item) {
			both = append(both, item)
		}
	}
	return both
}

// matchAll lists the items that match, in the order of the patterns.
func matchAll(patterns, items []string) []string {
	var found []string
	for _, pattern := range patterns {
		for _, item := range items {
			if fnmatch(pattern, item) && !slices.Contains(found, item) {
				found = append(found, item)
			}
		}
	}
	return found
}
