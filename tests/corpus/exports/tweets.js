window.YTD.tweets.part0 = [
 {
  "tweet": {
   "id_str": "900000000000000001",
   "id": "900000000000000001",
   "full_text": "From my own archive @placeholder",
   "created_at": "Tue Mar 21 20:50:14 +0000 2017",
   "lang": "en",
   "favorite_count": "3",
   "retweet_count": "0"
  }
 }
]
