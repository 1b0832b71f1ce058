package io.elder.fetch.aws;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.elder.fetch.Partition;
import io.elder.fetch.Requests;
import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.ScriptedServer;
import io.elder.runtime.Settings;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.ec2.Ec2Client;
import software.amazon.awssdk.services.lambda.LambdaClient;
import software.amazon.awssdk.services.rds.RdsClient;
import software.amazon.awssdk.services.s3.S3Client;

/** The same trouble in each of AWS's five wire forms, through the real SDK. */
class AwsVerdictsTest {
    private static final Partition HERE = new Partition("123456789012", "us-east-1");

    private ScriptedServer server;
    private AwsClient aws;

    @BeforeEach
    void start() throws Exception {
        server = ScriptedServer.start(getClass());
        server.on("POST /?Action=GetCallerIdentity", "answers/caller.xml");
        aws = new AwsProvider()
                .connect(Settings.of(Map.of(
                        "AWS_ENDPOINT_URL", server.url(),
                        "AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE",
                        "AWS_SECRET_ACCESS_KEY", "secret-of-the-test")));
    }

    @AfterEach
    void stop() {
        aws.close();
        server.close();
    }

    @ParameterizedTest
    @CsvSource({
        "503, RequestLimitExceeded",
        "400, Throttling",
        "400, RequestThrottled",
    })
    void ec2Throttles(int status, String code) {
        assertThat(ec2(status, code)).isInstanceOf(Verdict.Throttled.class);
    }

    @Test
    void queryProtocolThrottlesWithStatus400() {
        server.on("POST /?Action=DescribeDBInstances", query(400, "Throttling"));
        assertThat(verdict(
                        () -> aws.of(RdsClient.class, RdsClient::builder, HERE).describeDBInstances()))
                .isInstanceOf(Verdict.Throttled.class);
    }

    @Test
    void jsonProtocolThrottlesWithStatus400() {
        assertThat(dynamo(400, "com.amazon.coral.availability#ThrottlingException"))
                .isInstanceOf(Verdict.Throttled.class);
    }

    @Test
    void lambdaNamesTheTimeToWait() {
        server.on(
                "GET /2015-03-31/functions",
                Answer.of(429, "{\"Reason\":\"CallerRateLimitExceeded\",\"message\":\"Rate exceeded\"}")
                        .header("x-amzn-ErrorType", "TooManyRequestsException")
                        .header("Retry-After", "3"));
        assertThat(verdict(() ->
                        aws.of(LambdaClient.class, LambdaClient::builder, HERE).listFunctions()))
                .isEqualTo(new Verdict.RetryAfter(Duration.ofSeconds(3)));
    }

    @Test
    void s3AsksToSlowDown() {
        server.on("GET /", s3(503, "SlowDown"));
        assertThat(verdict(() -> s3().listBuckets())).isInstanceOf(Verdict.Throttled.class);
    }

    @ParameterizedTest
    @CsvSource({
        "401, AuthFailure, BAD_CREDENTIALS",
        "403, InvalidClientTokenId, BAD_CREDENTIALS",
        "403, SignatureDoesNotMatch, BAD_CREDENTIALS",
        "403, UnauthorizedOperation, FORBIDDEN",
        "401, OptInRequired, FORBIDDEN",
        "403, SomethingNew, FORBIDDEN",
        "400, InvalidParameterValue, UNKNOWN",
    })
    void someThingsDoNotHelpToTryAgain(int status, String code, StopReason reason) {
        assertThat(ec2(status, code)).isInstanceOfSatisfying(Verdict.Stop.class, stop -> {
            assertThat(stop.reason()).isEqualTo(reason);
            assertThat(stop.message()).isEqualTo(code + ": because (Ec2, " + status + ")");
        });
    }

    @ParameterizedTest
    @CsvSource({
        "com.amazonaws.dynamodb.v20120810#AccessDeniedException, FORBIDDEN",
        "com.amazon.coral.service#UnrecognizedClientException, BAD_CREDENTIALS",
    })
    void jsonProtocolNamesTheTypeInTheBody(String type, StopReason reason) {
        assertThat(dynamo(400, type)).isInstanceOfSatisfying(Verdict.Stop.class, stop -> assertThat(stop.reason())
                .isEqualTo(reason));
    }

    @ParameterizedTest
    @CsvSource({"400, RequestExpired", "400, ExpiredToken", "400, InvalidNextToken", "400, InvalidPaginationToken"})
    void whatHasExpiredIsReadFromTheStart(int status, String code) {
        assertThat(ec2(status, code)).isInstanceOf(Verdict.StartOver.class);
    }

    @Test
    void expiredCredentialsAreReadAnewInEveryForm() {
        assertThat(dynamo(400, "com.amazon.coral.service#ExpiredTokenException"))
                .isInstanceOf(Verdict.StartOver.class);
        server.on("GET /", s3(400, "ExpiredToken"));
        assertThat(verdict(() -> s3().listBuckets())).isInstanceOf(Verdict.StartOver.class);
    }

    @Test
    void whatDoesNotExistIsGone() {
        server.on("GET /b", s3(404, "NoSuchTagSet"));
        assertThat(verdict(() -> s3().getBucketTagging(r -> r.bucket("b")))).isInstanceOf(Verdict.Gone.class);
        assertThat(ec2(400, "InvalidInstanceID.NotFound")).isInstanceOf(Verdict.Gone.class);
    }

    @Test
    void notFoundThatAwsDoesNotSayIsTriedAgain() {
        server.on(
                "POST /?Action=DescribeInstances",
                Answer.of(404, "<html><body>404 Not Found</body></html>").header("Content-Type", "text/html"));
        assertThat(verdict(() -> ec2Client().describeInstances())).isInstanceOf(Verdict.RetryWithBackoff.class);
    }

    @ParameterizedTest
    @CsvSource({"500, InternalError", "503, Unavailable", "403, RequestTimeTooSkewed"})
    void passingTroubleIsTriedAgain(int status, String code) {
        assertThat(ec2(status, code)).isInstanceOf(Verdict.RetryWithBackoff.class);
    }

    /** The SDK takes each of these for a list of nothing: a complete read of an empty account. */
    @ParameterizedTest
    @CsvSource({"''", "'   '", "<html><body>Log in</body></html>", "OK", "[]"})
    void anAnswerThatIsNoneIsNoEmptyList(String body) {
        server.on("POST /?Action=DescribeInstances", Answer.of(200, body));
        assertThat(verdict(() -> ec2Client().describeInstances())).isInstanceOf(Verdict.RetryWithBackoff.class);
        server.on("GET /2015-03-31/functions", Answer.of(200, body));
        assertThat(verdict(() ->
                        aws.of(LambdaClient.class, LambdaClient::builder, HERE).listFunctions()))
                .isInstanceOf(Verdict.RetryWithBackoff.class);
    }

    @Test
    void aServerThatIsAwayIsTriedAgain() {
        Ec2Client client = ec2Client();
        server.close();
        assertThat(verdict(client::describeInstances)).isInstanceOf(Verdict.RetryWithBackoff.class);
    }

    private Verdict ec2(int status, String code) {
        server.on(
                "POST /?Action=DescribeInstances",
                Answer.of(
                        status,
                        "<Response><Errors><Error><Code>" + code
                                + "</Code><Message>because</Message></Error></Errors><RequestID>1</RequestID></Response>"));
        return verdict(() -> ec2Client().describeInstances());
    }

    private Verdict dynamo(int status, String type) {
        server.on("POST /?TableName=t", Answer.of(status, "{\"__type\":\"" + type + "\",\"message\":\"because\"}"));
        return verdict(() ->
                aws.of(DynamoDbClient.class, DynamoDbClient::builder, HERE).describeTable(r -> r.tableName("t")));
    }

    private Ec2Client ec2Client() {
        return aws.of(Ec2Client.class, Ec2Client::builder, HERE);
    }

    private S3Client s3() {
        return aws.of(S3Client.class, () -> S3Client.builder().forcePathStyle(true), HERE);
    }

    private static Answer query(int status, String code) {
        return Answer.of(
                status,
                "<ErrorResponse><Error><Type>Sender</Type><Code>" + code
                        + "</Code><Message>because</Message></Error><RequestId>1</RequestId></ErrorResponse>");
    }

    private static Answer s3(int status, String code) {
        return Answer.of(status, "<Error><Code>" + code + "</Code><Message>because</Message></Error>");
    }

    private static Verdict verdict(Requests.Request<?> request) {
        Throwable failure = catchThrowable(request::send);
        assertThat(failure).isNotNull();
        return new AwsProvider().classify(failure);
    }
}
