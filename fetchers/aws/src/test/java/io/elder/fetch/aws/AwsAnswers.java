package io.elder.fetch.aws;

import io.elder.fetch.testkit.ScriptedServer;
import java.util.Map;

/** One small account in one region, as the wire shows it. */
final class AwsAnswers {
    /** Of every other kind there is one. */
    static final Map<String, Integer> MORE_THAN_ONE = Map.of(
            "ec2_instance", 3,
            "ebs_volume", 2,
            "network_interface", 2,
            "elastic_ip", 2,
            "lambda_function", 2,
            "load_balancer_target", 2,
            "s3_bucket", 2);

    private AwsAnswers() {}

    static void script(ScriptedServer aws) {
        aws.on("POST /?Action=GetCallerIdentity", "answers/caller.xml");
        aws.page("aws_account", "POST /?Action=ListAccountAliases", "answers/aliases.xml");
        // Nobody is asked for a region, so nothing is ever this kind's page.
        aws.page("aws_region", "GET /no-such-request", "answers/caller.xml");
        paged(aws, "ec2_instance", "DescribeInstances", "instances");
        paged(aws, "ebs_volume", "DescribeVolumes", "volumes");
        paged(aws, "network_interface", "DescribeNetworkInterfaces", "network-interfaces");
        query(aws, "vpc", "DescribeVpcs", "vpcs");
        query(aws, "subnet", "DescribeSubnets", "subnets");
        query(aws, "security_group", "DescribeSecurityGroups", "security-groups");
        query(aws, "route_table", "DescribeRouteTables", "route-tables");
        query(aws, "nat_gateway", "DescribeNatGateways", "nat-gateways");
        query(aws, "internet_gateway", "DescribeInternetGateways", "internet-gateways");
        query(aws, "elastic_ip", "DescribeAddresses", "addresses");
        aws.page(
                "load_balancer",
                "POST /?Action=DescribeLoadBalancers&Version=2015-12-01",
                "answers/load-balancers.xml");
        aws.on("POST /?Action=DescribeTags&Version=2015-12-01", "answers/load-balancer-tags.xml");
        aws.page(
                "classic_load_balancer",
                "POST /?Action=DescribeLoadBalancers&Version=2012-06-01",
                "answers/classic-load-balancers.xml");
        aws.on("POST /?Action=DescribeTags&Version=2012-06-01", "answers/classic-load-balancer-tags.xml");
        query(aws, "target_group", "DescribeTargetGroups", "target-groups");
        query(aws, "load_balancer_target", "DescribeTargetHealth", "target-health");
        query(aws, "rds_instance", "DescribeDBInstances", "db-instances");
        query(aws, "rds_cluster", "DescribeDBClusters", "db-clusters");
        query(aws, "elasticache_cluster", "DescribeCacheClusters", "cache-clusters");
        query(aws, "elasticache_replication_group", "DescribeReplicationGroups", "replication-groups");
        aws.page("lambda_function", "GET /2015-03-31/functions", "answers/functions.json");
        json(aws, "ecs_cluster", "AmazonEC2ContainerServiceV20141113.ListClusters", "ecs-cluster-list");
        json(aws, "", "AmazonEC2ContainerServiceV20141113.DescribeClusters", "ecs-clusters");
        json(aws, "ecs_service", "AmazonEC2ContainerServiceV20141113.ListServices", "ecs-service-list");
        json(aws, "", "AmazonEC2ContainerServiceV20141113.DescribeServices", "ecs-services");
        aws.page("eks_cluster", "GET /clusters", "answers/eks-cluster-list.json");
        aws.on("GET /clusters/devel", "answers/eks-cluster.json");
        aws.page("eks_node_group", "GET /clusters/devel/node-groups", "answers/eks-node-group-list.json");
        aws.on("GET /clusters/devel/node-groups/n1", "answers/eks-node-group.json");
        json(aws, "sqs_queue", "AmazonSQS.ListQueues", "queue-list");
        json(aws, "", "AmazonSQS.GetQueueAttributes", "queue");
        query(aws, "sns_topic", "ListTopics", "topics");
        aws.on("POST /?Action=GetTopicAttributes", "answers/topic.xml");
        json(aws, "dynamodb_table", "DynamoDB_20120810.ListTables", "table-list");
        json(aws, "", "DynamoDB_20120810.DescribeTable", "table");
        aws.page("s3_bucket", "GET /", "answers/buckets.xml");
        aws.on("GET /site?location=", "answers/bucket-location.xml");
        for (String bucket : new String[] {"logs", "site"}) {
            aws.on("GET /" + bucket + "?tagging=", "answers/bucket-tags.xml");
            aws.on("GET /" + bucket + "?encryption=", "answers/bucket-encryption.xml");
            aws.on("GET /" + bucket + "?publicAccessBlock=", "answers/bucket-public-access.xml");
        }
        aws.on("POST /?Action=ListTagsForResource&Version=2015-02-02", "answers/cache-tags.xml");
        aws.on("POST /?Action=ListTagsForResource&Version=2010-03-31", "answers/topic-tags.xml");
        json(aws, "", "AmazonSQS.ListQueueTags", "queue-tags");
        json(aws, "", "DynamoDB_20120810.ListTagsOfResource", "table-tags");
        aws.on(asked -> asked.path().startsWith("/2017-03-31/tags/"), aws.ok("answers/function-tags.json"));
        aws.on("GET /2020-05-31/tagging", "answers/distribution-tags.xml");
        aws.on(asked -> asked.path().startsWith("/2013-04-01/tags/hostedzone/"), aws.ok("answers/zone-tags.xml"));
        query(aws, "iam_user", "ListUsers", "users");
        aws.on("POST /?Action=ListAccessKeys", "answers/access-keys.xml");
        aws.on("POST /?Action=ListGroupsForUser", "answers/groups-of-user.xml");
        query(aws, "iam_role", "ListRoles", "roles");
        query(aws, "iam_group", "ListGroups", "groups");
        query(aws, "iam_group_member", "GetGroup", "group");
        aws.page("cloudfront_distribution", "GET /2020-05-31/distribution", "answers/distributions.xml");
        aws.page("route53_zone", "GET /2013-04-01/hostedzone", "answers/zones.xml");
    }

    private static void query(ScriptedServer aws, String kind, String action, String fixture) {
        aws.page(kind, "POST /?Action=" + action, "answers/" + fixture + ".xml");
    }

    private static void paged(ScriptedServer aws, String kind, String action, String fixture) {
        aws.page(kind, "POST /?Action=" + action + "&NextToken", "answers/" + fixture + "-1.xml");
        aws.page(kind, "POST /?Action=" + action + "&NextToken=page-2-token", "answers/" + fixture + "-2.xml");
    }

    private static void json(ScriptedServer aws, String kind, String target, String fixture) {
        aws.page(kind, asked -> asked.header("X-Amz-Target").equals(target), "answers/" + fixture + ".json");
    }
}
