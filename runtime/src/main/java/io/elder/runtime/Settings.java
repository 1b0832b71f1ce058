package io.elder.runtime;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The environment, typed. Every wrong value is noted with what was expected, a harmless value is returned in its place, and
 * {@link #check} reports all of them at once: call it when everything has been read.
 *
 * <p>An empty value counts as absent, as Compose files leave them.
 */
public final class Settings {
    private static final Duration LONGEST = Duration.ofDays(3650);
    private static final Pattern DURATION = Pattern.compile("(\\d+)\\s*(ms|s|m|h|d)?");

    private final Map<String, String> values;
    private final List<String> problems = new ArrayList<>();

    private Settings(Map<String, String> values) {
        this.values = values;
    }

    public static Settings of(Map<String, String> values) {
        return new Settings(Map.copyOf(values));
    }

    /** These settings with others laid over them. */
    public Settings with(Map<String, String> others) {
        Map<String, String> all = new LinkedHashMap<>(values);
        all.putAll(others);
        return of(all);
    }

    /** All values as they are, secrets included: for passing on, never for printing. */
    public Map<String, String> values() {
        return values;
    }

    public Optional<String> find(String name) {
        return Optional.ofNullable(values.get(name)).map(String::strip).filter(value -> !value.isEmpty());
    }

    /** The first of several spellings that is set. */
    public Optional<String> findAny(String... names) {
        return Arrays.stream(names).map(this::find).flatMap(Optional::stream).findFirst();
    }

    public String text(String name) {
        return find(name).orElseGet(() -> missing(name));
    }

    public String text(String name, String otherwise) {
        return find(name).orElse(otherwise);
    }

    public Optional<Secret> findSecret(String name) {
        // Not stripped: a password may well end in a blank.
        return Optional.ofNullable(values.get(name))
                .filter(value -> !value.isEmpty())
                .map(Secret::new);
    }

    public Secret secret(String name) {
        return findSecret(name).orElseGet(() -> new Secret(missing(name)));
    }

    public int whole(String name, int otherwise, int least, int most) {
        Optional<String> value = find(name);
        if (value.isEmpty()) {
            return otherwise;
        }
        try {
            int number = Integer.parseInt(value.get());
            if (number >= least && number <= most) {
                return number;
            }
        } catch (NumberFormatException e) {
            // noted below, like a number out of bounds
        }
        return wrong(name, value.get(), least + " to " + most, otherwise);
    }

    public boolean yes(String name, boolean otherwise) {
        return find(name)
                .map(value -> switch (value.toLowerCase(Locale.ROOT)) {
                    case "true", "yes", "on", "1" -> true;
                    case "false", "no", "off", "0" -> false;
                    default -> wrong(name, value, "true or false", otherwise);
                })
                .orElse(otherwise);
    }

    /** What is waited for or between, which is never nothing; see the other one. */
    public Duration duration(String name, Duration otherwise) {
        return duration(name, otherwise, Duration.ofMillis(1));
    }

    /**
     * A plain number is seconds; {@code 500ms}, {@code 30s}, {@code 5m}, {@code 24h} and {@code 30d} say their unit.
     *
     * @param least less is an error, and so are more than ten years
     */
    public Duration duration(String name, Duration otherwise, Duration least) {
        Optional<String> value = find(name);
        if (value.isEmpty()) {
            return otherwise;
        }
        Matcher matcher = DURATION.matcher(value.get());
        if (!matcher.matches() || matcher.group(1).length() > 12) {
            return wrong(name, value.get(), "seconds, or a number with ms, s, m, h or d", otherwise);
        }
        long number = Long.parseLong(matcher.group(1));
        Duration duration =
                switch (matcher.group(2) == null ? "s" : matcher.group(2)) {
                    case "ms" -> Duration.ofMillis(number);
                    case "m" -> Duration.ofMinutes(number);
                    case "h" -> Duration.ofHours(number);
                    case "d" -> Duration.ofDays(number);
                    default -> Duration.ofSeconds(number);
                };
        if (duration.compareTo(least) < 0 || duration.compareTo(LONGEST) > 0) {
            String shortest = least.toMillis() < 1000 ? least.toMillis() + "ms" : least.toSeconds() + "s";
            return wrong(name, value.get(), shortest + " to " + LONGEST.toDays() + "d", otherwise);
        }
        return duration;
    }

    /** Comma-separated, blanks ignored. */
    public List<String> list(String name, String otherwise) {
        return Arrays.stream(find(name).orElse(otherwise).split(","))
                .map(String::strip)
                .filter(item -> !item.isEmpty())
                .toList();
    }

    /** One of a closed set of words, in any case. */
    public <E extends Enum<E>> E oneOf(String name, Class<E> words, E otherwise) {
        Optional<String> value = find(name);
        if (value.isEmpty()) {
            return otherwise;
        }
        for (E word : words.getEnumConstants()) {
            if (word.name().equalsIgnoreCase(value.get().replace('-', '_'))) {
                return word;
            }
        }
        String expected = String.join(
                ", ",
                Arrays.stream(words.getEnumConstants())
                        .map(word -> word.name().toLowerCase(Locale.ROOT))
                        .toList());
        return wrong(name, value.get(), expected, otherwise);
    }

    /** Notes a problem that only the caller can see, e.g. two settings that exclude each other. */
    public void problem(String name, String found, String expected) {
        problems.add(name + ": " + found + " (expected: " + expected + ")");
    }

    /** Notes a name that is none of ours. Its value is not told: it may be a secret. */
    void unknown(String name, String hint) {
        problems.add(name + ": no such setting (" + hint + ")");
    }

    /** @throws SettingsException with every problem noted so far */
    public void check() {
        if (!problems.isEmpty()) {
            throw new SettingsException(problems);
        }
    }

    private String missing(String name) {
        problem(name, "not set", "a value");
        return "";
    }

    private <T> T wrong(String name, String value, String expected, T otherwise) {
        problem(name, value, expected);
        return otherwise;
    }
}
