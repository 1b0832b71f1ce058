package io.elder.writeback;

import static io.elder.writeback.World.pair;
import static org.assertj.core.api.Assertions.assertThat;

import io.elder.writeback.World.Ending;
import io.elder.writeback.World.Membership;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PlannerTest {
    private static final Map<String, String> NO_BUDGET = Map.of(
            "WRITEBACK_BUDGET_MIN", "1000",
            "WRITEBACK_BUDGET_RUN", "1000",
            "WRITEBACK_PROTECTED_GROUPS", "none");

    private static final List<Ending> ENDINGS = List.of(Ending.values());

    @TempDir
    Path folder;

    private World world;

    @AfterEach
    void close() {
        if (world != null) {
            world.close();
        }
    }

    private void open(Map<String, String> settings) {
        world = new World(folder, settings);
    }

    /** Groups g0, g1, ... of so many users each, as the provider's own sync has brought them in. */
    private void company(int groups, int usersEach) {
        for (int g = 0; g < groups; g++) {
            world.group("g" + g);
            for (int u = 0; u < usersEach; u++) {
                world.user("u" + u);
                world.imported(pair("g" + g, "u" + u));
            }
        }
        world.sync();
        world.pass(Duration.ofSeconds(5));
    }

    @Test
    void aRowIsAddedAtTheProviderOnceAndItsEchoEndsThere() {
        open(Map.of());
        company(1, 3);
        world.user("new");
        Membership row = world.add(pair("g0", "new"), null);
        world.pass(Duration.ofMillis(700));
        assertThat(world.callAll()).isEqualTo(1);
        world.pass(Duration.ofSeconds(10));
        world.sync();
        world.settle();
        world.sync();
        world.settle();
        assertThat(world.calls).containsExactly("add g0/new");
        assertThat(row.sourceKey).as("adopted by the sink").isNotNull();
    }

    @Test
    void aMembershipThatTheSyncBringsWhileItsPlanIsMadeIsMarkedWithoutACall() {
        open(Map.of());
        company(1, 3);
        world.user("both");
        Membership row = world.add(pair("g0", "both"), null);
        world.provider.add(pair("g0", "both"));
        world.sinkIsBlind = true;
        world.sync();
        world.sinkIsBlind = false;
        world.sync();
        world.settle();
        assertThat(world.calls).isEmpty();
        assertThat(row.sourceKey).as("joined with the sink's").isNotNull();
        assertThat(world.isMarked(row)).isTrue();
    }

    @Test
    void aRemovalStandsThoughTheSinkWritesAnOlderSightOfTheMemberAndIsHeardFirst() {
        open(Map.of());
        company(1, 3);
        world.user("leaver");
        Membership row = world.add(pair("g0", "leaver"), null);
        world.settle();
        world.pass(Duration.ofSeconds(5));
        world.beginSync();
        world.deleteHeardLate(row, world::endSync);
        world.settle();
        assertThat(world.calls).containsExactly("add g0/leaver", "remove g0/leaver");
        world.sync();
        world.settle();
        assertThat(world.livePairs()).isEqualTo(world.provider);
        assertThat(world.calls).hasSize(2);
    }

    @Test
    void aRemovalIsMadeThoughItIsHeardOfBeforeItsUser() {
        open(Map.of());
        company(1, 3);
        world.provider.add(pair("g0", "unheard"));
        world.sync();
        world.delete(world.rowsOf(pair("g0", "unheard")));
        world.settle();
        assertThat(world.calls).isEmpty();
        world.user("unheard");
        world.settle();
        assertThat(world.calls).containsExactly("remove g0/unheard");
    }

    @Test
    void aRowThatTheSinkAdoptsAsItExpiresEndsAllTheSame() {
        open(Map.of());
        company(1, 3);
        world.user("guest");
        Membership row = world.add(pair("g0", "guest"), world.now().plusMillis(5010));
        world.pass(Duration.ofSeconds(1));
        assertThat(world.callAll()).isOne();
        world.pass(Duration.ofSeconds(4));
        // It has expired by then, and it is not yet time to look.
        world.adoptedHeardLate(row, Duration.ofMillis(20));
        world.settle();
        assertThat(world.calls).containsExactly("add g0/guest", "remove g0/guest");
    }

    @Test
    void aRowThatTheSinkAdoptsBeforeItsGroupIsHeardOfIsStillAPersonsWord() {
        open(Map.of());
        world.groupOff("g");
        world.user("early");
        world.switchOnBehind("g", () -> {
            Membership row = world.add(pair("g", "early"), null);
            world.adoptedHeardLate(row, Duration.ZERO);
        });
        world.settle();
        assertThat(world.calls).containsExactly("add g/early");
    }

    @Test
    void whatWasPutThereAgainstARemovalDoesNotOutliveAGuest() {
        open(Map.of());
        company(1, 3);
        world.delete(world.rowsOf(pair("g0", "u1")));
        world.settle();
        world.sync();
        world.provider.add(pair("g0", "u1"));
        world.pass(Duration.ofSeconds(5));
        world.sync();
        world.settle();
        assertThat(world.live(pair("g0", "u1")))
                .as("Elder shows it until the next sync")
                .isPresent();
        world.add(pair("g0", "u1"), world.now().plusSeconds(6));
        world.settle();
        assertThat(world.calls).containsExactly("remove g0/u1", "remove g0/u1", "add g0/u1", "remove g0/u1");
        world.sync();
        world.settle();
        assertThat(world.livePairs()).isEqualTo(world.provider);
        assertThat(world.calls).hasSize(4);
    }

    @Test
    void readersWhoseClockIsAheadMakeNoLoop() {
        open(Map.of());
        world.readersAhead = Duration.ofMinutes(10);
        company(1, 3);
        world.delete(world.rowsOf(pair("g0", "u1")));
        world.settle();
        assertThat(world.calls).containsExactly("remove g0/u1");
        world.pass(Duration.ofSeconds(10));
        world.sync();
        world.settle();
        assertThat(world.calls).hasSize(1);
        world.provider.add(pair("g0", "u1"));
        world.pass(Duration.ofSeconds(10));
        world.sync();
        world.settle();
        assertThat(world.calls).containsExactly("remove g0/u1", "remove g0/u1");
    }

    @Test
    void whoWasThereBeforeAGuestsRowStaysWhenItExpires() {
        open(Map.of());
        company(1, 3);
        world.add(pair("g0", "u1"), world.now().plusSeconds(6));
        world.settle();
        world.sync();
        world.settle();
        assertThat(world.calls).isEmpty();
        assertThat(world.livePairs()).isEqualTo(world.provider);
    }

    @Test
    void aGrantThatIsHeardOfAfterASyncThatSawItIsNoConflict() {
        open(Map.of());
        company(1, 4);
        world.delete(List.of(world.live(pair("g0", "u1")).orElseThrow()));
        world.settle();
        world.sync();
        world.pass(Duration.ofSeconds(10));
        world.provider.add(pair("g0", "u1"));
        world.sinkIsBlind = true;
        world.addHeardLate(pair("g0", "u1"), null, Duration.ofSeconds(3), world::sync);
        world.settle();
        assertThat(world.calls).containsExactly("remove g0/u1");
    }

    @Test
    void anImportIsNeverAnIntent() {
        open(Map.of());
        company(3, 5);
        world.settle();
        world.provider.remove(pair("g0", "u0"));
        world.sync();
        world.settle();
        assertThat(world.calls).isEmpty();
        assertThat(world.livePairs()).isEqualTo(world.provider);
    }

    @Test
    void anImportedMemberThatSomebodyDeletesIsRemoved() {
        open(Map.of());
        company(1, 3);
        world.delete(List.of(world.live(pair("g0", "u1")).orElseThrow()));
        world.settle();
        assertThat(world.calls).containsExactly("remove g0/u1");
    }

    @Test
    void aRowMayComeBeforeItsGroupAndUser() {
        open(Map.of());
        world.add(pair("late", "later"), null);
        world.pass(Duration.ofSeconds(3));
        world.user("later");
        world.group("late");
        world.settle();
        assertThat(world.calls).containsExactly("add late/later");
    }

    @Test
    void rowsOfAGroupThatIsSwitchedOnAreNoChangesUnlessTheyCameLater() {
        open(Map.of("WRITEBACK_PROTECTED_GROUPS", "none"));
        for (String user : List.of("early", "late", "gone", "leaver")) {
            world.user(user);
        }
        world.groupOff("g");
        world.add(pair("g", "early"), null);
        Membership gone = world.add(pair("g", "gone"), null);
        Membership leaver = world.add(pair("g", "leaver"), null);
        world.delete(List.of(gone));
        // Switched on before the next rows were written, and heard of after them: they are in different partitions.
        world.switchOnBehind("g", () -> {
            world.add(pair("g", "late"), null);
            world.delete(List.of(leaver));
        });
        world.settle();
        assertThat(world.calls).containsExactlyInAnyOrder("add g/late", "remove g/leaver");
    }

    @Test
    void aChangeOfAGroupThatWasSwitchedOffIsNoneThoughItIsHeardOfBefore() {
        open(Map.of());
        world.user("new");
        world.group("g");
        world.add(pair("g", "new"), null);
        world.groupOff("g");
        world.settle();
        assertThat(world.calls).isEmpty();
        assertThat(world.held).isEmpty();
    }

    @Test
    void addedAndTakenBackWithinTheWindowIsNoCall() {
        open(Map.of());
        company(1, 3);
        world.user("new");
        Membership row = world.add(pair("g0", "new"), null);
        world.delete(List.of(row));
        world.delete(List.of(world.live(pair("g0", "u1")).orElseThrow()));
        world.add(pair("g0", "u1"), null);
        world.settle();
        assertThat(world.calls).isEmpty();
    }

    @Test
    void aRowThatEndedAfterItsGroupWasSwitchedOnIsAChangeThoughItIsHeardOfBefore() {
        open(Map.of());
        world.groupOff("g");
        for (String user : List.of("gone", "b", "c", "before")) {
            world.user(user);
            world.provider.add(pair("g", user));
        }
        world.sync();
        world.pass(Duration.ofSeconds(5));
        world.delete(List.of(world.live(pair("g", "before")).orElseThrow()));
        world.switchOnBehind(
                "g", () -> world.delete(List.of(world.live(pair("g", "gone")).orElseThrow())));
        world.settle();
        assertThat(world.calls).containsExactly("remove g/gone");
    }

    @Test
    void aRowHeardOfAfterItExpiredCountsAsOneThatExpired() {
        open(Map.of());
        company(1, 3);
        world.user("new");
        String pair = pair("g0", "new");
        world.addHeardLate(pair, world.now().plusSeconds(4), Duration.ofSeconds(10), () -> {});
        world.settle();
        assertThat(world.effective).isZero();
        world.provider.add(pair);
        world.pass(Duration.ofSeconds(5));
        world.sync();
        world.settle();
        assertThat(world.provider)
                .as("what ended in Elder is not for the provider to prolong")
                .doesNotContain(pair);
    }

    @Test
    void anExpiredRowIsRemoved() {
        open(Map.of());
        company(1, 3);
        world.user("guest");
        world.add(pair("g0", "guest"), world.now().plusSeconds(20));
        world.settle();
        assertThat(world.calls).containsExactly("add g0/guest");
        world.pass(Duration.ofSeconds(25));
        world.settle();
        assertThat(world.calls).containsExactly("add g0/guest", "remove g0/guest");
    }

    @Test
    void aFailedCallIsMadeAgainAndOneWithoutAnAnswerDoesNoHarm() {
        open(Map.of());
        company(1, 3);
        world.user("new");
        world.add(pair("g0", "new"), null);
        world.pass(Duration.ofSeconds(1));
        assertThat(world.call(Ending.BROKEN)).isEqualTo(1);
        world.pass(Duration.ofSeconds(15));
        assertThat(world.call(Ending.NO_ANSWER)).isEqualTo(1);
        // Nobody knows whether the addition worked, so taking it back is not the same as doing nothing.
        world.delete(List.of(world.live(pair("g0", "new")).orElseThrow()));
        world.settle();
        assertThat(world.provider).doesNotContain(pair("g0", "new"));
        assertThat(world.calls.getLast()).isEqualTo("remove g0/new");
    }

    @Test
    void anEmptiedTableIsOneHeldPlanWithoutACall() {
        open(Map.of());
        // Small groups, in which the budget alone would let most removals pass.
        company(40, 4);
        world.delete(List.copyOf(world.rows.values()));
        world.settle();
        assertThat(world.calls).isEmpty();
        assertThat(world.waiting()).hasSize(1);
        assertThat(world.summary(world.waiting().getFirst().getPlanId()).getDeletions())
                .isEqualTo(160);
    }

    @Test
    void aTruncatedTableIsOneHeldPlanWithoutACall() {
        open(Map.of());
        company(40, 4);
        world.truncate();
        world.settle();
        assertThat(world.calls).isEmpty();
        assertThat(world.waiting()).hasSize(1);
        assertThat(world.summary(world.waiting().getFirst().getPlanId()).getDeletions())
                .isEqualTo(160);
    }

    @Test
    void whatASnapshotBringsBackIsHeld() {
        open(Map.of());
        company(2, 5);
        Membership row = world.live(pair("g0", "u1")).orElseThrow();
        world.delete(List.of(row));
        world.settle();
        assertThat(world.calls).containsExactly("remove g0/u1");
        world.snapshot(row);
        world.settle();
        assertThat(world.calls).hasSize(1);
        assertThat(world.waiting()).hasSize(1);
    }

    @Test
    void moreRemovalsOfAGroupThanItsBudgetAreHeldAndOtherGroupsGoOn() {
        open(Map.of());
        company(2, 20);
        List<Membership> six = new ArrayList<>();
        for (int u = 0; u < 6; u++) {
            six.add(world.live(pair("g0", "u" + u)).orElseThrow());
        }
        world.deleteOneByOne(six);
        world.delete(List.of(world.live(pair("g1", "u0")).orElseThrow()));
        world.settle();
        assertThat(world.calls).containsExactly("remove g1/u0");
        assertThat(world.waiting()).hasSize(1);

        String plan = world.waiting().getFirst().getPlanId();
        world.add(pair("g0", "u3"), null);
        world.command("release", plan);
        world.settle();
        assertThat(world.calls).as("u3 has moved since").hasSize(6).doesNotContain("remove g0/u3");
        assertThat(world.summary(plan).getState()).isEqualTo("released");
        assertThat(world.results).anyMatch(result -> result.getOutcome().equals("moved"));
    }

    @Test
    void aRejectedPlanIsNeverMade() {
        open(Map.of());
        company(1, 10);
        world.delete(List.copyOf(world.rows.values()));
        world.settle();
        String plan = world.waiting().getFirst().getPlanId();
        world.command("reject", plan);
        world.command("release", plan);
        world.settle();
        world.sync();
        world.settle();
        assertThat(world.calls).isEmpty();
        assertThat(world.summary(plan).getState()).isEqualTo("rejected");
    }

    @Test
    void protectedGroupsAndLastMembersAreHeld() {
        open(Map.of());
        company(1, 1);
        world.group("adm", "Super Admins");
        world.add(pair("adm", "u0"), null);
        world.delete(List.of(world.live(pair("g0", "u0")).orElseThrow()));
        world.settle();
        assertThat(world.calls).isEmpty();
        assertThat(world.waiting()).isNotEmpty();
    }

    @Test
    void aClosedProviderGetsNoCallUntilItIsEnabledAndItsPlanReleased() {
        open(Map.of("WRITEBACK_CONFIRMED", ""));
        company(1, 3);
        world.user("new");
        world.add(pair("g0", "new"), null);
        world.settle();
        assertThat(world.calls).isEmpty();
        assertThat(world.waiting()).hasSize(1);
        String plan = world.waiting().getFirst().getPlanId();
        world.command("release", plan);
        world.settle();
        assertThat(world.calls).as("still closed").isEmpty();
        world.command("enable", "okta");
        world.settle();
        assertThat(world.calls).as("enabling is no release").isEmpty();
        world.command("release", plan);
        world.settle();
        assertThat(world.calls).containsExactly("add g0/new");
    }

    @Test
    void aChangeThatSomebodyElseMadeIsReassertedAcceptedOrHeld() {
        for (String mode : List.of("reassert", "accept", "hold")) {
            try (World each = new World(folder.resolve(mode), Map.of("WRITEBACK_CONFLICT", mode))) {
                world = each;
                company(1, 3);
                world.user("new");
                world.add(pair("g0", "new"), null);
                world.settle();
                // Before any sync saw it: nothing in the inventory will say that it is gone.
                world.provider.remove(pair("g0", "new"));
                world.pass(Duration.ofSeconds(10));
                world.sync();
                world.settle();
                world.sync();
                world.settle();
                assertThat(world.calls.size()).as(mode).isEqualTo(mode.equals("reassert") ? 2 : 1);
                assertThat(world.waiting()).as(mode).hasSize(mode.equals("hold") ? 1 : 0);
            }
        }
        world = null;
    }

    @Test
    void aPlanCanBeUndone() {
        open(Map.of());
        company(1, 10);
        world.delete(List.of(world.live(pair("g0", "u1")).orElseThrow()));
        world.pass(Duration.ofSeconds(1));
        world.callAll();
        world.pass(Duration.ofSeconds(5));
        // The plan's id is in what the applier reports; here it is the only one.
        world.command("undo", world.lastPlan());
        world.settle();
        assertThat(world.calls).containsExactly("remove g0/u1", "add g0/u1");
        world.command("undo", world.firstPlan());
        world.settle();
        assertThat(world.calls).as("undone once").hasSize(2);
    }

    @Test
    void whoHasTwoIdentitiesStaysUntilNeitherHasARow() {
        open(Map.of());
        company(1, 4);
        world.twin("second", "u1");
        Membership second = world.add(pair("g0", "second"), null);
        world.settle();
        world.delete(List.of(world.live(pair("g0", "u1")).orElseThrow()));
        world.settle();
        assertThat(world.calls).isEmpty();
        world.restart();
        Membership guest = world.add(pair("g0", "u1"), world.now().plusSeconds(6));
        world.settle();
        assertThat(world.live(pair("g0", "u1"))).as("has expired").isEmpty();
        assertThat(world.calls).isEmpty();
        assertThat(world.isMarked(second)).isTrue();
        assertThat(world.isMarked(guest)).isTrue();
        world.delete(List.of(second));
        world.settle();
        assertThat(world.calls).containsExactly("remove g0/u1");
    }

    @Test
    void aSecondIdentityThatIsSomebodyElseNowGrantsNothing() {
        open(Map.of());
        company(1, 4);
        world.twin("second", "u1");
        world.add(pair("g0", "second"), null);
        world.settle();
        world.twin("second", "u2");
        world.delete(List.of(world.live(pair("g0", "u1")).orElseThrow()));
        world.settle();
        assertThat(world.calls).containsExactly("remove g0/u1");
    }

    @Test
    void whatOfAPlanIsStillUnderWayIsNotUndone() {
        open(Map.of());
        company(1, 10);
        world.delete(List.of(world.live(pair("g0", "u1")).orElseThrow()));
        world.pass(Duration.ofSeconds(1));
        world.command("undo", world.planUnderWay());
        world.settle();
        assertThat(world.calls).containsExactly("remove g0/u1");
        world.command("undo", world.firstPlan());
        world.settle();
        assertThat(world.calls).containsExactly("remove g0/u1", "add g0/u1");
    }

    @Test
    void anAdditionIsUndoneThoughItsRowIsThereAndTheFirstCallFails() {
        open(Map.of());
        company(1, 10);
        world.user("new");
        world.add(pair("g0", "new"), null);
        world.settle();
        world.command("undo", world.lastPlan());
        assertThat(world.call(Ending.BROKEN)).isOne();
        world.pass(Duration.ofSeconds(15));
        world.settle();
        assertThat(world.calls).containsExactly("add g0/new", "remove g0/new", "remove g0/new");
    }

    @Test
    void plansOfAGroupThatWasSwitchedOffAreNeitherReleasedNorUndone() {
        open(Map.of());
        company(2, 10);
        world.delete(List.of(world.live(pair("g0", "u9")).orElseThrow()));
        world.settle();
        world.delete(List.copyOf(world.rows.values()));
        world.settle();
        String plan = world.waiting().getFirst().getPlanId();
        world.groupOff("g0");
        world.command("undo", world.lastPlan());
        world.command("release", plan);
        world.settle();
        assertThat(world.calls)
                .hasSize(11)
                .startsWith("remove g0/u9")
                .allMatch(call -> call.equals("remove g0/u9") || call.startsWith("remove g1/"));
        assertThat(world.results.stream()
                        .filter(result -> result.getOutcome().equals("moved"))
                        .map(result -> result.getOperation() + " " + result.getGroupId()))
                .hasSize(10)
                .contains("add g0", "remove g0");
    }

    @Test
    void aRemovalIsForgottenWhenItsGroupIsSwitchedOff() {
        open(Map.of());
        company(1, 4);
        world.delete(List.of(world.live(pair("g0", "u1")).orElseThrow()));
        world.settle();
        world.sync();
        world.groupOff("g0");
        world.add(pair("g0", "u1"), null);
        world.pass(Duration.ofSeconds(5));
        world.switchOnBehind("g0", () -> {});
        world.provider.add(pair("g0", "u1"));
        world.pass(Duration.ofSeconds(5));
        world.sync();
        world.settle();
        assertThat(world.calls).containsExactly("remove g0/u1");
    }

    @Test
    void anAdditionIsForgottenWhenItsGroupIsSwitchedOff() {
        open(Map.of());
        company(1, 4);
        world.user("new");
        Membership row = world.add(pair("g0", "new"), null);
        world.settle();
        world.groupOff("g0");
        world.delete(List.of(row));
        world.provider.remove(pair("g0", "new"));
        world.pass(Duration.ofSeconds(5));
        world.switchOnBehind("g0", () -> {});
        world.pass(Duration.ofSeconds(5));
        world.sync();
        world.settle();
        assertThat(world.calls).containsExactly("add g0/new");
    }

    @Test
    void whatWasChangedWhileAGroupWasOffIsNoChangeWhenItsUserIsHeardOfAgain() {
        open(Map.of());
        company(1, 4);
        world.groupOff("g0");
        world.add(pair("g0", "unheard"), null);
        world.delete(List.of(world.live(pair("g0", "u1")).orElseThrow()));
        world.switchOnBehind("g0", () -> {});
        world.user("unheard");
        world.twin("u1", "u1");
        world.settle();
        assertThat(world.calls).isEmpty();
    }

    @Test
    void thatAGroupWasOffForAWhileMayBeHeardOfAfterWhatHappenedMeanwhileAndThen() {
        open(Map.of());
        company(1, 10);
        world.switchOffAndOnBehind(
                "g0",
                () -> world.delete(List.of(world.live(pair("g0", "u1")).orElseThrow())),
                () -> world.delete(List.of(world.live(pair("g0", "u2")).orElseThrow())));
        world.settle();
        assertThat(world.calls).containsExactly("remove g0/u2");
    }

    @Test
    void aBackupThatReplacesTheRowsInOneTransactionIsHeld() {
        for (boolean isTruncated : List.of(true, false)) {
            try (World each = new World(folder.resolve("backup" + isTruncated), Map.of())) {
                world = each;
                company(6, 5);
                List<Membership> backup = List.copyOf(world.rows.values());
                List<String> then = callsOfADay();
                if (isTruncated) {
                    world.truncate();
                } else {
                    world.delete(List.copyOf(world.rows.values()));
                }
                world.putBack(backup, false);
                world.settle();
                assertThat(world.calls).isEqualTo(then);
                assertThat(world.waiting()).hasSize(1);
                // Those who have their rows again are left alone, even if somebody believes in the plan.
                world.command("release", world.waiting().getFirst().getPlanId());
                world.settle();
                assertThat(world.calls.subList(then.size(), world.calls.size()))
                        .containsExactlyInAnyOrder("remove g0/new", "remove g3/new");
            }
        }
        world = null;
    }

    @Test
    void aBackupThatIsPutBackRowByRowIsHeld() {
        for (Duration later : List.of(Duration.ofSeconds(1), Duration.ofMinutes(5))) {
            try (World each = new World(folder.resolve("rows" + later), Map.of())) {
                world = each;
                company(6, 5);
                List<Membership> backup = List.copyOf(world.rows.values());
                List<String> then = callsOfADay();
                world.delete(List.copyOf(world.rows.values()));
                world.pass(later, Duration.ofMillis(250));
                for (Membership row : backup) {
                    world.putBack(List.of(row), true);
                    world.pass(Duration.ofMillis(20));
                }
                world.settle();
                assertThat(world.calls).isEqualTo(then);
                assertThat(world.waiting()).isNotEmpty();
            }
        }
        world = null;
    }

    /** Two additions and a removal since the backup. */
    private List<String> callsOfADay() {
        world.user("new");
        world.add(pair("g0", "new"), null);
        world.add(pair("g3", "new"), null);
        world.delete(List.of(world.live(pair("g1", "u1")).orElseThrow()));
        world.settle();
        List<String> calls = List.copyOf(world.calls);
        assertThat(calls).containsExactlyInAnyOrder("add g0/new", "add g3/new", "remove g1/u1");
        return calls;
    }

    @Test
    void inADatabaseThatWasRestoredElsewherePeopleGoOn() {
        open(Map.of());
        company(1, 5);
        List<Membership> backup = List.copyOf(world.rows.values());
        world.restoreElsewhere();
        world.pass(Duration.ofMinutes(1), Duration.ofSeconds(5));
        backup.forEach(world::snapshot);
        world.settle();
        assertThat(world.calls).isEmpty();
        world.delete(List.of(world.live(pair("g0", "u1")).orElseThrow()));
        world.settle();
        assertThat(world.calls).containsExactly("remove g0/u1");
    }

    @Test
    void aSnapshotTakesARemovalBackThatWasHeld() {
        open(Map.of());
        company(2, 5);
        List<Membership> backup = List.copyOf(world.rows.values());
        world.delete(backup);
        world.settle();
        String plan = world.waiting().getFirst().getPlanId();
        backup.forEach(world::snapshot);
        world.settle();
        world.command("release", plan);
        world.settle();
        assertThat(world.calls).as("every row is there").isEmpty();
    }

    @Test
    void anInsertThatIsHeardOfAfterTheTruncationThatFollowedItIsNoChange() {
        open(Map.of());
        company(1, 3);
        world.user("new");
        world.truncateBefore(() -> world.add(pair("g0", "new"), null));
        world.settle();
        assertThat(world.calls).isEmpty();
    }

    @Test
    void aRunThatBeganBeforeADecisionSaysNothingOfIt() {
        open(Map.of());
        company(1, 3);
        world.beginSync();
        world.pass(Duration.ofSeconds(5));
        // Somebody decides on a member whom the run has named already, and whom nobody had decided on.
        world.endSync(() -> world.add(pair("g0", "u1"), null));
        world.settle();
        world.sync();
        world.settle();
        assertThat(world.calls).isEmpty();
    }

    /**
     * Random adds, removes, expiries, provider-side edits, syncs that are heard of late, failures, lost answers, restarts of
     * the planner and of whoever calls, words that are said twice: what people decided last stands.
     */
    @Test
    void whateverHappensBothEndsAgreeAndNothingLoops() {
        play(Integer.getInteger("writeback.seeds", 60));
    }

    @Test
    @Tag("long")
    void fiveHundredHistoriesAgreeAndNothingLoops() {
        play(500);
    }

    private void play(int seeds) {
        for (int from = Integer.getInteger("writeback.seed", 0); from < seeds; from += 25) {
            try (World each = new World(folder.resolve("seeds" + from), NO_BUDGET)) {
                for (int seed = from; seed < Math.min(seeds, from + 25); seed++) {
                    world = each;
                    random(seed);
                }
            }
        }
        world = null;
    }

    private void random(int seed) {
        Random random = new Random(seed);
        world.account = "org" + seed;
        world.provider.clear();
        world.rows.clear();
        world.calls.clear();
        boolean hasEdits = seed % 3 != 0;
        world.readersAhead = seed % 5 == 4 ? Duration.ofMinutes(10) : Duration.ZERO;
        // Few members, to whom much happens, or many, to whom little does.
        int users = seed % 2 == 0 ? 4 : 1;
        List<String> pairs = new ArrayList<>();
        for (int g = 0; g < 3; g++) {
            world.group("s" + seed + "g" + g);
            for (int u = 0; u < users; u++) {
                if (g == 0) {
                    world.user("s" + seed + "u" + u);
                }
                pairs.add(pair("s" + seed + "g" + g, "s" + seed + "u" + u));
            }
        }
        for (String pair : pairs) {
            if (random.nextBoolean()) {
                world.imported(pair);
            }
        }
        world.sync();
        world.pass(Duration.ofSeconds(5), Duration.ofSeconds(1));
        Map<String, Boolean> decided = new TreeMap<>();
        Map<String, Instant> expiries = new TreeMap<>();
        for (int step = 0; step < 24; step++) {
            String pair = pairs.get(random.nextInt(pairs.size()));
            world.sinkIsBlind = random.nextInt(3) == 0;
            expiries.entrySet().removeIf(entry -> {
                boolean isOver = !entry.getValue().isAfter(world.now());
                if (isOver) {
                    decided.put(entry.getKey(), false);
                }
                return isOver;
            });
            switch (random.nextInt(hasEdits ? 13 : 11)) {
                case 0, 1 -> {
                    // Elder may still show what somebody else put there against a removal.
                    if (world.live(pair).isEmpty() || !decided.getOrDefault(pair, true)) {
                        Instant expiry =
                                random.nextInt(4) == 0 ? world.now().plusMillis(500 + random.nextInt(8000)) : null;
                        world.add(pair, expiry);
                        decided.put(pair, true);
                        if (expiry != null) {
                            expiries.put(pair, expiry);
                        }
                    }
                }
                case 2, 3 ->
                    world.live(pair).ifPresent(row -> {
                        if (world.rowsOf(pair).size() == 1 && random.nextInt(4) == 0) {
                            world.deleteHeardLate(row, world::sync);
                        } else {
                            world.delete(world.rowsOf(pair));
                        }
                        decided.put(pair, false);
                        expiries.remove(pair);
                    });
                case 4 -> world.sync();
                case 7 -> world.beginSync();
                case 8 -> world.endSync();
                case 9 -> world.restart();
                case 10 -> world.tellAgain();
                case 5, 6 -> world.call(ENDINGS.get(random.nextInt(ENDINGS.size())));
                default -> {
                    if (!world.provider.remove(pair)) {
                        world.provider.add(pair);
                    }
                }
            }
            world.pass(Duration.ofMillis(random.nextInt(1500)), Duration.ofMillis(150));
        }
        world.sinkIsBlind = false;
        world.pass(Duration.ofSeconds(10), Duration.ofSeconds(1));
        for (int i = 0; i < 4; i++) {
            world.settle();
            world.pass(Duration.ofSeconds(30), Duration.ofSeconds(10));
            world.settle();
            world.sync();
        }
        int calls = world.calls.size();
        world.settle();
        world.sync();
        world.settle();
        assertThat(world.calls).as("seed %s: no echo, no loop", seed).hasSize(calls);
        assertThat(world.waiting()).as("seed %s: nothing held", seed).isEmpty();
        for (Instant expiry : expiries.values()) {
            assertThat(expiry).as("expiries are over").isBefore(world.now());
        }
        expiries.forEach((pair, expiry) -> decided.put(pair, false));
        Set<String> wrong = new TreeSet<>();
        decided.forEach((pair, isIn) -> {
            if (isIn != world.provider.contains(pair)) {
                wrong.add(pair + (isIn ? " is missing" : " is there"));
            } else if (isIn && !world.isMarked(world.live(pair).orElseThrow())) {
                wrong.add(pair + " is not marked as synced");
            }
        });
        assertThat(wrong)
                .as("seed %s: what people decided, at the provider", seed)
                .isEmpty();
        assertThat(world.livePairs()).as("seed %s: Elder's rows", seed).isEqualTo(world.provider);
    }
}
