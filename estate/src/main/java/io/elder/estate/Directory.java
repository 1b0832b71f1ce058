package io.elder.estate;

import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.IntFunction;
import java.util.function.Supplier;

/**
 * Who may sign on and which groups they are in: the company's people and teams, or a test's own, and on top of either what
 * was written to the system. What was written stays, whatever happens in the company.
 */
public final class Directory {
    /** As numbers where they are, and as texts of one length where they are not: what is new comes last. */
    static final Comparator<String> BY_ID =
            Comparator.comparingInt(String::length).thenComparing(Comparator.naturalOrder());

    private static final Instant LONG_AGO = Instant.parse("2024-03-01T09:00:00Z");

    private final Supplier<Content> base;
    private final Content own = new Content(new TreeMap<>(BY_ID), new TreeMap<>(BY_ID), new HashMap<>());
    private final Map<String, Map<String, Boolean>> written = new HashMap<>();
    private final List<Membership> changes = new ArrayList<>();

    /** A membership that began or ended. */
    public record Membership(String group, String user, boolean isIn) {}

    /** @param email empty where there is none */
    public record User(
            String id,
            String username,
            String email,
            String given,
            String family,
            String department,
            String title,
            boolean isActive,
            Instant since) {
        public User(String id, String username) {
            this(id, username, username + "@example.org", username, "Example", "", "", true, LONG_AGO);
        }

        User with(boolean active) {
            return new User(id, username, email, given, family, department, title, active, since);
        }
    }

    /**
     * A group.
     *
     * @param isReadOnly whether the system itself sees to its members
     * @param parents ids of the groups that this one is in, where a system knows of such
     */
    public record Group(String id, String name, String description, boolean isReadOnly, List<String> parents) {
        public Group(String id, String name) {
            this(id, name, "", false, List.of());
        }
    }

    record Content(
            NavigableMap<String, User> users, NavigableMap<String, Group> groups, Map<String, Set<String>> members) {}

    /** An empty one, to be filled by a test. */
    public Directory() {
        this.base = () -> own;
    }

    private Directory(Supplier<Content> base) {
        this.base = base;
    }

    /**
     * The company's.
     *
     * @param isFlat whether the system knows no groups in groups, so that the members of a team's teams are its own
     */
    static Directory of(Company company, IntFunction<String> userId, IntFunction<String> groupId, boolean isFlat) {
        return new Directory(new Supplier<>() {
            private Company.State seen;
            private Content content;

            @Override
            public synchronized Content get() {
                Company.State now = company.now();
                if (!Objects.equals(now, seen)) {
                    seen = now;
                    content = content(now, userId, groupId, isFlat);
                }
                return content;
            }
        });
    }

    private static Content content(
            Company.State now, IntFunction<String> userId, IntFunction<String> groupId, boolean isFlat) {
        Content content = new Content(new TreeMap<>(BY_ID), new TreeMap<>(BY_ID), new HashMap<>());
        for (Company.Person person : now.people()) {
            String id = userId.apply(person.number());
            content.users()
                    .put(
                            id,
                            new User(
                                    id,
                                    person.username(),
                                    person.email(),
                                    person.given(),
                                    person.family(),
                                    person.department(),
                                    person.title(),
                                    person.active(),
                                    person.since()));
        }
        Map<String, Company.Team> byName = new HashMap<>();
        now.teams().forEach(team -> byName.put(team.name(), team));
        for (Company.Team team : now.teams()) {
            String id = groupId.apply(team.number());
            List<String> parents = isFlat
                    ? List.of()
                    : now.teams().stream()
                            .filter(other -> other.teams().contains(team.name()))
                            .map(other -> groupId.apply(other.number()))
                            .toList();
            content.groups().put(id, new Group(id, team.name(), team.description(), false, parents));
            Set<Integer> people = new TreeSet<>(team.members());
            if (isFlat) {
                within(team, byName, people);
            }
            Set<String> members = new TreeSet<>(BY_ID);
            people.forEach(number -> members.add(userId.apply(number)));
            content.members().put(id, members);
        }
        return content;
    }

    private static void within(Company.Team team, Map<String, Company.Team> byName, Set<Integer> people) {
        for (String name : team.teams()) {
            Company.Team inner = byName.get(name);
            people.addAll(inner.members());
            within(inner, byName, people);
        }
    }

    /** Adds or replaces a user. Only of a directory that a test fills, like the next three. */
    public synchronized Directory put(User user) {
        own.users().put(user.id(), user);
        return this;
    }

    public synchronized Directory put(Group group) {
        own.groups().put(group.id(), group);
        return this;
    }

    public synchronized void removeUser(String id) {
        own.users().remove(id);
    }

    public synchronized void removeGroup(String id) {
        own.groups().remove(id);
    }

    /** Says whether the user was not in the group. */
    public synchronized boolean join(String group, String user) {
        return write(group, user, true);
    }

    /** Says whether the user was in the group. */
    public synchronized boolean leave(String group, String user) {
        return write(group, user, false);
    }

    private boolean write(String group, String user, boolean isIn) {
        boolean was = members(group).contains(user);
        written.computeIfAbsent(group, unused -> new HashMap<>()).put(user, isIn);
        if (was != isIn) {
            changes.add(new Membership(group, user, isIn));
        }
        return was != isIn;
    }

    /** What joining and leaving really changed, in order, since this was last asked. */
    public synchronized List<Membership> takeChanges() {
        List<Membership> taken = List.copyOf(changes);
        changes.clear();
        return taken;
    }

    /** By id. */
    public synchronized NavigableMap<String, User> users() {
        return new TreeMap<>(base.get().users());
    }

    /** By id. */
    public synchronized NavigableMap<String, Group> groups() {
        return new TreeMap<>(base.get().groups());
    }

    public synchronized Optional<User> user(String id) {
        return Optional.ofNullable(base.get().users().get(id));
    }

    public synchronized Optional<Group> group(String id) {
        return Optional.ofNullable(base.get().groups().get(id));
    }

    /** The ids of the users who are in a group. */
    public synchronized NavigableMap<String, User> membersOf(String group) {
        NavigableMap<String, User> users = new TreeMap<>(BY_ID);
        for (String id : members(group)) {
            user(id).ifPresent(user -> users.put(id, user));
        }
        return users;
    }

    private Set<String> members(String group) {
        Set<String> members = new TreeSet<>(BY_ID);
        members.addAll(base.get().members().getOrDefault(group, Set.of()));
        written.getOrDefault(group, Map.of()).forEach((user, isIn) -> {
            if (isIn) {
                members.add(user);
            } else {
                members.remove(user);
            }
        });
        return members;
    }
}
