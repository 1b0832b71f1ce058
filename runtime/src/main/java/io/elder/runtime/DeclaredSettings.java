package io.elder.runtime;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * The settings that the modules on the class path declare, each in its {@code META-INF/elder/settings.txt}: what
 * {@code docs/configuration.md} is made of, and what a misspelt name is compared with.
 *
 * <p>A file has sections. {@code # title} begins one, {@code > text} is its text, {@code NAME | default | meaning} declares a
 * setting. {@code own PREFIX_ ...} claims prefixes that nothing else uses, {@code foreign NAME ...} names of other software,
 * {@code ignored} says that the section's names are accepted and not read. {@code @providers} is where those of providers go.
 */
public final class DeclaredSettings {
    private static final String FILE = "META-INF/elder/settings.txt";
    private static final String PROVIDERS = "@providers";
    /** What Kubernetes sets in every container for every service of its namespace: a service {@code sink} is no setting. */
    private static final Pattern SERVICE_LINK = Pattern.compile(
            "[A-Z0-9_]+(_SERVICE_HOST|_SERVICE_PORT(_[A-Z0-9_]+)?|_PORT_\\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)");

    private static final Pattern SERVICE_ADDRESS = Pattern.compile("(tcp|udp|sctp)://.*");

    /** A setting: Markdown for people but for its name. */
    public record Setting(String name, String otherwise, String meaning) {}

    /** @param read whether the code reads them */
    private record Section(String title, boolean read, List<String> text, List<Setting> settings) {}

    private final List<Section> sections;
    private final Set<String> own = new TreeSet<>();
    private final Set<String> foreign = new TreeSet<>();

    private DeclaredSettings(List<List<String>> files) {
        List<Section> ours = new ArrayList<>();
        List<Section> providers = new ArrayList<>();
        int place = -1;
        for (List<String> file : files) {
            List<Section> found = file.contains(PROVIDERS) ? ours : providers;
            for (String line : file) {
                if (line.equals(PROVIDERS)) {
                    place = ours.size();
                } else if (!line.isBlank()) {
                    read(line, found);
                }
            }
        }
        providers.sort(Comparator.comparing(Section::title));
        ours.addAll(Math.max(place, 0), providers);
        this.sections = List.copyOf(ours);
    }

    public static DeclaredSettings onClassPath() {
        List<List<String>> files = new ArrayList<>();
        try {
            for (URL url :
                    Collections.list(DeclaredSettings.class.getClassLoader().getResources(FILE))) {
                try (InputStream in = url.openStream()) {
                    files.add(new String(in.readAllBytes(), StandardCharsets.UTF_8)
                            .lines()
                            .toList());
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return new DeclaredSettings(files);
    }

    static DeclaredSettings of(String... files) {
        List<List<String>> lines = new ArrayList<>();
        for (String file : files) {
            lines.add(file.lines().toList());
        }
        return new DeclaredSettings(lines);
    }

    private void read(String line, List<Section> found) {
        if (line.startsWith("# ")) {
            found.add(new Section(line.substring(2), true, new ArrayList<>(), new ArrayList<>()));
            return;
        }
        Section section = found.getLast();
        if (line.equals("ignored")) {
            found.set(found.size() - 1, new Section(section.title(), false, section.text(), section.settings()));
        } else if (line.startsWith("> ")) {
            section.text().add(line.substring(2));
        } else if (line.startsWith("own ")) {
            own.addAll(List.of(line.substring("own ".length()).split(" ")));
        } else if (line.startsWith("foreign ")) {
            foreign.addAll(List.of(line.substring("foreign ".length()).split(" ")));
        } else {
            String[] parts = line.split("\\|", 3);
            if (parts.length != 3) {
                throw new IllegalStateException(FILE + ": " + line + " (expected: NAME | default | meaning)");
            }
            section.settings().add(new Setting(parts[0].strip(), parts[1].strip(), parts[2].strip()));
        }
    }

    /** Every name that the code reads. */
    public Set<String> namesRead() {
        return names(false);
    }

    private Set<String> names(boolean ignoredToo) {
        Set<String> names = new LinkedHashSet<>();
        sections.stream().filter(section -> ignoredToo || section.read()).forEach(section -> section.settings()
                .forEach(setting -> names.add(setting.name())));
        return names;
    }

    /**
     * Notes as a problem what looks like a setting and is none. Under a prefix of our own that is any unknown name; under one
     * that others use too (LDAP_, KAFKA_, LOG_, ...) one that is a slip of the pen away from a setting that is not set.
     */
    public void noteUnknown(Settings settings) {
        Set<String> known = names(true);
        for (String name : new TreeSet<>(settings.values().keySet())) {
            if (known.contains(name) || isOfOthers(name, settings.values().get(name))) {
                continue;
            }
            Optional<String> near = nearest(name, known);
            if (own.stream().anyMatch(name::startsWith)) {
                settings.unknown(
                        name,
                        near.map(other -> "did you mean " + other + "?")
                                .orElse("expected: one of docs/configuration.md"));
            } else if (near.isPresent() && settings.find(near.get()).isEmpty()) {
                settings.unknown(name, "did you mean " + near.get() + "?");
            }
        }
    }

    private boolean isOfOthers(String name, String value) {
        return SERVICE_LINK.matcher(name).matches()
                || (name.endsWith("_PORT")
                        && SERVICE_ADDRESS.matcher(value.strip()).matches())
                || foreign.stream()
                        .anyMatch(other -> other.endsWith("*")
                                ? name.startsWith(other.substring(0, other.length() - 1))
                                : name.equals(other));
    }

    /** The setting of the same first word that is at most two slips away: one where names are short. */
    private static Optional<String> nearest(String name, Set<String> known) {
        int most = name.length() < 12 ? 1 : 2;
        String word = name.substring(0, name.indexOf('_') + 1);
        return known.stream()
                .filter(other -> !word.isEmpty() && other.startsWith(word))
                .filter(other -> slips(name, other) <= most)
                .min(Comparator.comparingInt(other -> slips(name, other)));
    }

    /** Letters that are wrong, missing, too many or swapped with their neighbour. */
    private static int slips(String a, String b) {
        int[][] slips = new int[a.length() + 1][b.length() + 1];
        for (int i = 0; i <= a.length(); i++) {
            for (int j = 0; j <= b.length(); j++) {
                if (i == 0 || j == 0) {
                    slips[i][j] = i + j;
                    continue;
                }
                boolean same = a.charAt(i - 1) == b.charAt(j - 1);
                slips[i][j] =
                        Math.min(slips[i - 1][j - 1] + (same ? 0 : 1), Math.min(slips[i - 1][j], slips[i][j - 1]) + 1);
                if (i > 1 && j > 1 && a.charAt(i - 1) == b.charAt(j - 2) && a.charAt(i - 2) == b.charAt(j - 1)) {
                    slips[i][j] = Math.min(slips[i][j], slips[i - 2][j - 2] + 1);
                }
            }
        }
        return slips[a.length()][b.length()];
    }

    /** The page about all of them, as Markdown. */
    public String page() {
        StringBuilder page = new StringBuilder("""
                # Configuration

                Settings are environment variables, or lines of a file `.env` in the working directory (the environment wins). An empty value
                counts as not set. Durations are seconds, or a number with `ms`, `s`, `m`, `h` or `d`. Wrong values and unknown names are all
                reported at once, each with what was expected, and the process does not start; which names count as unknown is
                [decided here](decisions/0020-unknown-settings.md).

                This page is made of what each module declares in `META-INF/elder/settings.txt`; CONTRIBUTING.md says how.
                """);
        for (Section section : sections) {
            page.append("\n## ").append(section.title()).append("\n\n");
            section.text().forEach(line -> page.append(line).append('\n'));
            page.append(section.text().isEmpty() ? "" : "\n").append("""
                    | setting | default | what it is |
                    |---|---|---|
                    """);
            for (Setting setting : section.settings()) {
                page.append("| `").append(setting.name()).append("` |");
                cell(page, setting.otherwise());
                cell(page, setting.meaning());
                page.append('\n');
            }
        }
        return page.toString();
    }

    private static void cell(StringBuilder page, String text) {
        page.append(text.isEmpty() ? " |" : " " + text + " |");
    }
}
