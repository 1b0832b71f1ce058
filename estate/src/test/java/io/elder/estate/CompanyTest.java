package io.elder.estate;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class CompanyTest {
    private static final Instant NOON = Instant.parse("2026-01-01T12:00:00Z");

    private final Company company = new Company();

    @Test
    void isTheSameAtEveryStartAndAfterTheSameChanges() {
        Company other = new Company();
        assertThat(other.now()).isEqualTo(company.now());
        IntStream.range(0, 200).forEach(i -> {
            assertThat(other.change(NOON)).isEqualTo(company.change(NOON));
        });
        assertThat(other.now()).isEqualTo(company.now());
    }

    @Test
    void isBelievable() {
        Company.State now = company.now();
        assertThat(now.people()).hasSizeGreaterThan(500);
        assertThat(now.teams())
                .hasSizeGreaterThan(60)
                .allMatch(team -> !team.members().isEmpty() || !team.teams().isEmpty());
        assertThat(now.people().stream().map(Company.Person::username)).doesNotHaveDuplicates();
        for (Company.Place place : Company.Place.values()) {
            assertThat(now.machines(place)).hasSizeGreaterThan(20);
        }
    }

    @Test
    void whatWasLookedAtDoesNotChange() {
        Company.State before = company.now();
        IntStream.range(0, 50).forEach(i -> company.change(NOON));
        assertThat(before).isEqualTo(new Company().now());
        assertThat(company.now()).isNotEqualTo(before);
    }

    @Test
    void losesNearlyAllMachinesOfAPlaceAtOnce() {
        company.lose(Company.Place.VCENTER);
        assertThat(company.now().machines(Company.Place.VCENTER)).hasSize(2);
        assertThat(company.now().machines(Company.Place.AWS)).hasSize(24);
    }
}
